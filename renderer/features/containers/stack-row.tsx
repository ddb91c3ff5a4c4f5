import { useText } from '../../messages/use-text.ts';
import { command } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { IconButton } from '../../ui/button.tsx';
import { Checkbox } from '../../ui/checkbox.tsx';
import { GridCell, GridRow } from '../../ui/grid-parts.tsx';
import { Icon } from '../../ui/icon.tsx';

/** The head of a compose project: how much of it runs, and all of it at once. */
export function StackRow({
  stack,
  rows,
  open,
  top,
  rowIndex,
  selected,
  onToggle,
  onSelect,
}: {
  stack: string;
  rows: ContainerRow[];
  open: boolean;
  top: number;
  rowIndex: number;
  selected: number;
  onToggle: () => void;
  onSelect: (selected: boolean) => void;
}) {
  const t = useText();
  const ids = rows.map((row) => row.id);
  const running = rows.filter((row) => row.status === 'running').length;
  return (
    <GridRow
      aria-rowindex={rowIndex}
      className="grid-row stack-row"
      style={{ transform: `translateY(${top}px)` }}
    >
      <GridCell>
        <Checkbox
          label={t('containers.selectStack', { name: stack })}
          checked={selected === rows.length}
          mixed={selected > 0 && selected < rows.length}
          onChange={onSelect}
        />
      </GridCell>
      <GridCell className="stack-name" aria-colspan={7}>
        <button type="button" className="button plain" aria-expanded={open} onClick={onToggle}>
          <Icon name={open ? 'down' : 'right'} size={12} />
          {stack}
        </button>
        <span className="muted">
          {t('containers.stackRunning', { running, count: rows.length })}
        </span>
      </GridCell>
      <GridCell className="row-actions">
        <IconButton
          icon="start"
          label={t('containers.startStack', { name: stack })}
          disabled={running === rows.length}
          onClick={() => void command(ids, 'start')}
        />
        <IconButton
          icon="stop"
          label={t('containers.stopStack', { name: stack })}
          disabled={running === 0}
          onClick={() => void command(ids, 'stop')}
        />
      </GridCell>
    </GridRow>
  );
}
