import type { IsolationWarning } from '../../../agent/contract/isolation.ts';
import { visibleText } from '../../messages/format.ts';
import { useMeaning, useText } from '../../messages/use-text.ts';
import { Icon } from '../../ui/icon.tsx';

/** What is weaker than the default, the gravest first; or that nothing is. */
export function Warnings({ warnings }: { warnings: IsolationWarning[] }) {
  const t = useText();
  const say = useMeaning();
  if (warnings.length === 0)
    return (
      <p className="isolation-fine">
        <Icon name="check" />
        {t('isolation.nothingWeaker')}
      </p>
    );
  return (
    <section className="card" aria-label={t('isolation.warnings')}>
      <ul className="isolation-warnings">
        {warnings.map((warning) => (
          <li key={`${warning.id} ${warning.subject}`} className={`warning ${warning.severity}`}>
            <span className="warning-severity">
              <Icon name="warning" size={14} />
              {t(`isolation.severity.${warning.severity}`)}
            </span>
            <div>
              <p>{say(warning)}</p>
              <p className="muted">
                {say({ id: `${warning.id}.remedy`, meaning: warning.remedy })}
              </p>
            </div>
            {warning.subject ? <code>{visibleText(warning.subject)}</code> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
