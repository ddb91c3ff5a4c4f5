import { useText } from '../../messages/use-text.ts';
import { command, mayAsk, remove, rowCommands } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { Button, IconButton } from '../../ui/button.tsx';

/** What may be done with the chosen rows: a verb that none of them allows is not shown. */
export function BulkBar({ rows, onClear }: { rows: ContainerRow[]; onClear: () => void }) {
  const t = useText();
  const ids = rows.map((row) => row.id);
  return (
    <div className="bulk" role="toolbar" aria-label={t('containers.bulk')}>
      <span className="bulk-count">{t('containers.selected', { count: rows.length })}</span>
      {rowCommands
        .filter((verb) => rows.some((row) => mayAsk(row, verb)))
        .map((verb) => (
          <Button key={verb} icon={verb} onClick={() => void command(ids, verb)}>
            {t(`verb.${verb}`)}
          </Button>
        ))}
      <Button kind="danger" icon="remove" onClick={() => void remove(ids).then(onClear)}>
        {t('verb.remove')}
      </Button>
      <IconButton icon="close" label={t('containers.clearSelection')} onClick={onClear} />
    </div>
  );
}
