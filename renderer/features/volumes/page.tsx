import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { formatAge } from '../../messages/format.ts';
import { spaceWords } from '../../messages/space-words.ts';
import { useText } from '../../messages/use-text.ts';
import {
  askAndRemove,
  followVolumes,
  loadVolumes,
  useVolumes,
  type VolumeRow,
} from '../../stores/volumes.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { SearchField } from '../../ui/field.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Empty, LoadFailure, Page, Skeleton } from '../../ui/page.tsx';
import '../../ui/list-table.css';
import { useNow } from '../../ui/use-now.ts';
import { NewVolume } from './new-volume.tsx';
import { ResizeVolume } from './resize.tsx';
import './volumes.css';

/** What outlives containers, how full it is, and who uses it. */
export function VolumesPage() {
  const t = useText();
  const { rows, loaded, error } = useVolumes();
  const [filter, setFilter] = useState('');
  const [dialog, setDialog] = useState<'new' | VolumeRow>();
  useEffect(() => followVolumes(), []);
  const close = () => setDialog(undefined);
  const shown = rows.filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()));
  const create = (
    <Button kind="main" icon="plus" onClick={() => setDialog('new')}>
      {t('volumes.new')}
    </Button>
  );
  return (
    <Page
      title={t('volumes.title')}
      tools={
        <>
          <span className="spacer" />
          <div className="filter">
            <SearchField label={t('volumes.filter')} value={filter} onChange={setFilter} />
          </div>
          {create}
        </>
      }
    >
      <div className="page-body volumes">
        {error ? (
          <LoadFailure
            error={error}
            retryLabel={t('action.retry')}
            onRetry={() => void loadVolumes()}
          />
        ) : null}
        {!loaded && !error ? <Skeleton lines={6} label={t('volumes.loading')} /> : null}
        {loaded && rows.length === 0 ? (
          <Empty title={t('volumes.empty')}>{t('volumes.emptyHelp')}</Empty>
        ) : null}
        {rows.length > 0 && shown.length === 0 ? (
          <Empty title={t('volumes.noMatch')}>{t('volumes.noMatchHelp', { filter })}</Empty>
        ) : null}
        {shown.length > 0 ? <VolumeTable rows={shown} onResize={setDialog} /> : null}
      </div>
      {dialog === 'new' ? <NewVolume onClose={close} /> : null}
      {dialog !== undefined && dialog !== 'new' ? (
        <ResizeVolume row={dialog} onClose={close} />
      ) : null}
    </Page>
  );
}

function VolumeTable({
  rows,
  onResize,
}: {
  rows: VolumeRow[];
  onResize: (row: VolumeRow) => void;
}) {
  const t = useText();
  const nowMs = useNow(10_000);
  return (
    <table className="plain-table list-table volumes-table">
      <thead>
        <tr>
          <th>{t('volumes.column.name')}</th>
          <th>{t('volumes.column.space')}</th>
          <th>{t('volumes.column.users')}</th>
          <th>{t('volumes.column.created')}</th>
          <th>
            <span className="unseen">{t('containers.column.actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <td className="truncate" title={row.name}>
              {row.isUnnamed ? <span className="mono">{row.name.slice(0, 12)}</span> : row.name}
              {row.isUnnamed ? <span className="muted"> {t('volumes.unnamed')}</span> : null}
            </td>
            <td>
              <Holds row={row} />
            </td>
            <td className="truncate">
              <Users row={row} />
            </td>
            <td className="muted">
              {Number.isFinite(row.createdAtMs) ? formatAge(nowMs - row.createdAtMs) : '–'}
            </td>
            <td className="list-actions">
              {row.usage === undefined ? null : (
                <Button
                  aria-label={t('volumes.resize', { name: row.name })}
                  onClick={() => onResize(row)}
                >
                  {t('volumes.resizeShort')}
                </Button>
              )}
              <IconButton
                icon="remove"
                label={t('volumes.remove', { name: row.name })}
                onClick={() => void askAndRemove(row)}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Holds({ row: { usage } }: { row: VolumeRow }) {
  const t = useText();
  if (usage === undefined) return <span className="muted">{t('volumes.uncounted')}</span>;
  const { held, warning } = spaceWords(usage.usedBytes ?? 0, usage.maxBytes, t);
  return (
    <>
      {held}
      {warning === undefined ? null : (
        <span className="field-warning">
          <Icon name="warning" size={14} />
          {warning}
        </span>
      )}
    </>
  );
}

function Users({ row: { users } }: { row: VolumeRow }) {
  const t = useText();
  if (users.length === 0) return <span className="muted">{t('volumes.unused')}</span>;
  return users.map(({ id, name }, index) => (
    <span key={id}>
      {index > 0 ? ', ' : ''}
      <Link href={`/containers/${id.slice(0, 12)}`}>{name}</Link>
    </span>
  ));
}
