import { Link } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { useActivity } from '../../stores/activity.ts';
import { Empty, Page } from '../../ui/page.tsx';
import '../../ui/list-table.css';
import './activity.css';

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** What the engine did since this window opened, newest first. */
export function ActivityPage() {
  const t = useText();
  const entries = useActivity((state) => state.entries);
  return (
    <Page title={t('activity.title')}>
      {entries.length === 0 ? (
        <Empty title={t('activity.empty')}>{t('activity.emptyHelp')}</Empty>
      ) : (
        <div className="page-body">
          <table className="plain-table activity-table">
            <thead>
              <tr>
                <th>{t('activity.time')}</th>
                <th>{t('activity.what')}</th>
                <th>{t('activity.on')}</th>
                <th>{t('activity.detail')}</th>
              </tr>
            </thead>
            <tbody>
              {entries.slice(0, 300).map((entry) => (
                <tr key={entry.key}>
                  <td className="muted">{clock.format(entry.atMs)}</td>
                  <td className="truncate">
                    <span className="muted">{entry.type}</span> {entry.action}
                  </td>
                  <td className="truncate">
                    {entry.type === 'container' ? (
                      <Link href={`/containers/${entry.id.slice(0, 12)}`}>{entry.name}</Link>
                    ) : (
                      entry.name
                    )}
                  </td>
                  <td className="muted truncate">{entry.detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
