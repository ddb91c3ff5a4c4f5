import { memo } from 'react';
import { Link } from 'wouter';
import { allows } from '../../../agent/contract/container.ts';
import { openAddress } from '../../bridge/system.ts';
import { formatAge } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { command, mayAsk } from '../../stores/container-actions.ts';
import { type ContainerRow, type PortLink, portAddress } from '../../stores/container-row.ts';
import { useContainers } from '../../stores/containers.ts';
import { useShownMachine } from '../../stores/machines.ts';
import { IconButton } from '../../ui/button.tsx';
import { Checkbox } from '../../ui/checkbox.tsx';
import { GridCell, GridRow } from '../../ui/grid-parts.tsx';
import { Icon } from '../../ui/icon.tsx';
import { ContextMenu, Menu } from '../../ui/menu.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';
import { Figures } from './figures.tsx';
import { rowMenu } from './row-menu.ts';

export interface RowProps {
  row: ContainerRow;
  selected: boolean;
  /** Whether Tab leads here. */
  active: boolean;
  /** Row number of the whole grid, from 1, the header included. */
  rowIndex: number;
  top: number;
  /** The clock of the list, so that all ages step together. */
  nowMs: number;
  onSelect: (id: string, selected: boolean, range: boolean) => void;
  onFocus: (id: string) => void;
  onOpen: (id: string, view: string) => void;
}

export const Row = memo(function Row(props: RowProps) {
  const { row, selected, active, onSelect, onOpen } = props;
  const t = useText();
  const pending = useContainers((state) => state.pending);
  const entries = rowMenu(row, pending, t, onOpen);
  const tabIndex = active ? 0 : -1;
  return (
    <ContextMenu entries={entries}>
      <GridRow
        aria-rowindex={props.rowIndex}
        aria-selected={selected}
        tabIndex={tabIndex}
        data-id={row.id}
        className="grid-row"
        style={{ transform: `translateY(${props.top}px)` }}
        onFocus={() => props.onFocus(row.id)}
        onClick={(event) => {
          const target = event.target as Element;
          // React hands on what happens in the row's menus, which lie elsewhere in the page.
          if (!event.currentTarget.contains(target)) return;
          if (target.closest('button, a, [role="checkbox"]')) return;
          if (event.ctrlKey || event.metaKey || event.shiftKey)
            onSelect(row.id, !selected, event.shiftKey);
          else onOpen(row.id, '');
        }}
      >
        <GridCell>
          <Checkbox
            label={t('containers.select', { name: row.name })}
            checked={selected}
            tabIndex={tabIndex}
            onChange={(checked) => onSelect(row.id, checked, false)}
          />
        </GridCell>
        <GridCell className="name">
          <Link
            href={`/containers/${row.id.slice(0, 12)}`}
            tabIndex={tabIndex}
            className="truncate"
          >
            {row.name}
          </Link>
        </GridCell>
        <GridCell className="muted">
          <span className="truncate" title={row.image}>
            {row.image}
          </span>
        </GridCell>
        <Status row={row} />
        <Figures id={row.id} live={row.status === 'running'} />
        <Ports ports={row.ports} tabIndex={tabIndex} />
        <GridCell className="age muted">{formatAge(props.nowMs - row.createdAtMs)}</GridCell>
        <GridCell className="row-actions">
          <RowButtons {...props} />
          <Menu
            entries={entries}
            trigger={
              <button
                type="button"
                className="button plain icon-only"
                aria-label={t('containers.more', { name: row.name })}
                tabIndex={tabIndex}
              >
                <Icon name="more" />
              </button>
            }
          />
        </GridCell>
      </GridRow>
    </ContextMenu>
  );
});

function RowButtons({ row, active, onOpen }: RowProps) {
  const t = useText();
  const pending = useContainers((state) => state.pending.get(row.id));
  const verb = allows('stop', row.status) ? 'stop' : 'start';
  const tabIndex = active ? 0 : -1;
  const name = { name: row.name };
  return (
    <>
      <IconButton
        icon={verb}
        label={t(`verb.${verb}.named`, name)}
        shortcut="S"
        disabled={!mayAsk(row, verb, pending)}
        tabIndex={tabIndex}
        onClick={() => void command([row.id], verb)}
      />
      <IconButton
        icon="terminal"
        label={t('containers.openTerminal', name)}
        shortcut="T"
        tabIndex={tabIndex}
        onClick={() => onOpen(row.id, 'terminal')}
      />
    </>
  );
}

function Status({ row }: { row: ContainerRow }) {
  const t = useText();
  const pending = useContainers((state) => state.pending.get(row.id));
  const failed = row.status === 'exited' && row.exitCode !== undefined && row.exitCode !== 0;
  const word = pending
    ? t(`pending.${pending}`)
    : failed
      ? t('status.exitedWith', { code: row.exitCode })
      : row.health && row.status === 'running'
        ? t(`health.${row.health}`)
        : t(`status.${row.status}`);
  return (
    <GridCell>
      <StatusMark
        status={row.status}
        word={word}
        bad={failed || row.health === 'unhealthy'}
        pending={pending !== undefined}
      />
    </GridCell>
  );
}

function Ports({ ports, tabIndex }: { ports: PortLink[]; tabIndex: number }) {
  const t = useText();
  const portsHere = useShownMachine()?.choices?.portsHere;
  const published = ports.filter((port) => port.hostPort !== undefined);
  return (
    <GridCell className="ports">
      {published.slice(0, 3).map((port) => {
        const address = portAddress(port, portsHere);
        const words = `${port.hostPort}:${port.containerPort}${port.protocol === 'udp' ? '/udp' : ''}`;
        return address ? (
          <button
            key={words}
            type="button"
            className="port"
            tabIndex={tabIndex}
            aria-label={t('containers.openPort', { words, address })}
            title={address}
            onClick={() => void openAddress(address)}
          >
            {words}
          </button>
        ) : (
          <span key={words} className="port-words">
            {words}
          </span>
        );
      })}
      {published.length > 3 ? <span className="muted">+{published.length - 3}</span> : null}
      {published.length === 0 ? <span className="muted">–</span> : null}
    </GridCell>
  );
}
