/** Which rows a filter keeps, and how they stand in stacks. */
import type { ContainerRow } from '../../stores/container-row.ts';

/** Every word must be found in some field: `web running` narrows twice. */
export function matchesFilter(row: ContainerRow, filter: string): boolean {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = [
    row.name,
    row.image,
    row.status,
    row.stack ?? '',
    row.id.slice(0, 12),
    ...row.ports.map((port) => `${port.hostPort ?? ''}:${port.containerPort}`),
  ]
    .join(' ')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

export type Item =
  | { kind: 'row'; row: ContainerRow }
  | { kind: 'stack'; stack: string; rows: ContainerRow[]; open: boolean };

/** Rows without a stack first, then each stack under its head, in the order the rows came. */
export function toItems(rows: readonly ContainerRow[], closed: ReadonlySet<string>): Item[] {
  const stacks = new Map<string, ContainerRow[]>();
  const items: Item[] = [];
  for (const row of rows) {
    if (row.stack === undefined) items.push({ kind: 'row', row });
    else stacks.set(row.stack, [...(stacks.get(row.stack) ?? []), row]);
  }
  for (const [stack, members] of [...stacks].sort(([a], [b]) => a.localeCompare(b))) {
    const open = !closed.has(stack);
    items.push({ kind: 'stack', stack, rows: members, open });
    if (open) for (const row of members) items.push({ kind: 'row', row });
  }
  return items;
}
