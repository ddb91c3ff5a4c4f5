import { Link } from 'wouter';
import { formatBytes, visibleText } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import type { Owner } from '../../stores/processes.ts';
import { cpuText, figuresOf, percent, shareOf } from './figures.ts';
import type { Measure } from './picture.ts';

const mostRows = 50;

/** The same as the picture, to be read: each owner with its share and limits, then its processes. */
export function ProcessTable({ owners, measure }: { owners: Owner[]; measure: Measure }) {
  const t = useText();
  const columns = [
    t('userspace.column.process'),
    t('userspace.column.pid'),
    t('userspace.column.parent'),
    t('userspace.cpu'),
    t('userspace.memory'),
  ];
  return (
    <table className="process-table" aria-label={t('userspace.tableOf')}>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      {owners.map((owner) => (
        <OwnerRows key={owner.key} owner={owner} owners={owners} measure={measure} />
      ))}
    </table>
  );
}

function OwnerRows({
  owner,
  owners,
  measure,
}: {
  owner: Owner;
  owners: Owner[];
  measure: Measure;
}) {
  const t = useText();
  const shown = owner.processes.toSorted((a, b) => b[measure] - a[measure]).slice(0, mostRows);
  const unlisted = owner.processCount - shown.length;
  return (
    <tbody>
      <tr className="owner-row">
        <th scope="rowgroup" colSpan={5}>
          {owner.container ? (
            <Link href={`/containers/${owner.container.id.slice(0, 12)}`}>
              {owner.container.name}
            </Link>
          ) : (
            t('userspace.machine')
          )}{' '}
          <span className="muted">
            {percent(shareOf(owner, owners, measure))} · {figuresOf(owner, t).join(' · ')}
          </span>
        </th>
      </tr>
      {shown.map((process) => (
        <tr key={process.pid}>
          <td className="truncate">{visibleText(process.name)}</td>
          <td>{process.pid}</td>
          <td>{process.parentPid}</td>
          <td>{cpuText(process.cpus)}</td>
          <td>{formatBytes(process.memoryBytes)}</td>
        </tr>
      ))}
      {unlisted > 0 ? (
        <tr>
          <td colSpan={5} className="muted">
            {t('userspace.others', { count: unlisted })}
          </td>
        </tr>
      ) : null}
    </tbody>
  );
}
