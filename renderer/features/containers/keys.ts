/** The grid's keys. The list for people is in the shortcuts dialog (`?`). */
import type { KeyboardEvent } from 'react';
import { allows } from '../../../agent/contract/container.ts';
import { command, remove } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import type { Selection } from './use-selection.ts';

interface GridState {
  row: ContainerRow | undefined;
  order: readonly string[];
  selection: Selection;
  moveTo: (id: string | undefined) => void;
  select: (id: string, selected: boolean, range: boolean) => void;
  selectAll: () => void;
  clear: () => void;
  open: (id: string, view: string) => void;
}

const pageRows = 12;

export function handleRowKey(event: KeyboardEvent, grid: GridState): void {
  const { row, order } = grid;
  // React hands on keys of the rows' menus, which lie elsewhere in the page.
  if (!event.currentTarget.contains(event.target as Element)) return;
  if (!row || event.altKey) return;
  // Keys that a control inside the row needs for itself.
  const inControl = (event.target as Element).getAttribute('role') !== 'row';
  if (inControl && ['Enter', ' '].includes(event.key)) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== 'a') return;
    grid.selectAll();
    event.preventDefault();
    return;
  }
  if (!move(event, grid, order.indexOf(row.id)) && !act(event.key, row, grid)) return;
  event.preventDefault();
}

function move(event: KeyboardEvent, grid: GridState, at: number): boolean {
  const last = grid.order.length - 1;
  const target: Record<string, number> = {
    ArrowDown: Math.min(last, at + 1),
    ArrowUp: Math.max(0, at - 1),
    PageDown: Math.min(last, at + pageRows),
    PageUp: Math.max(0, at - pageRows),
    Home: 0,
    End: last,
  };
  const to = target[event.key];
  if (to === undefined) return false;
  const id = grid.order[to];
  if (event.shiftKey && id) {
    grid.select(grid.order[at]!, true, false);
    grid.select(id, true, true);
  }
  grid.moveTo(id);
  return true;
}

function act(key: string, row: ContainerRow, grid: GridState): boolean {
  // With rows chosen, a key means all of them; the row itself otherwise.
  const chosen = Object.keys(grid.selection);
  const ids = chosen.length > 0 ? chosen : [row.id];
  switch (key) {
    case 'Enter':
      grid.open(row.id, '');
      return true;
    case ' ':
    case 'x':
      grid.select(row.id, !grid.selection[row.id], false);
      return true;
    case 'Escape':
      grid.clear();
      return true;
    case 's':
      void command(ids, allows('stop', row.status) ? 'stop' : 'start');
      return true;
    case 'r':
      void command(ids, 'restart');
      return true;
    case 'p':
      void command(ids, row.status === 'paused' ? 'unpause' : 'pause');
      return true;
    case 't':
      grid.open(row.id, 'terminal');
      return true;
    case 'l':
      grid.open(row.id, 'logs');
      return true;
    case 'm':
      grid.open(row.id, 'limits');
      return true;
    case 'Delete':
    case 'Backspace':
      void remove(ids);
      return true;
  }
  return false;
}
