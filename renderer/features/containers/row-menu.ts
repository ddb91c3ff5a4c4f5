/** What may be done with one container, as menu entries: hover menu and context menu show the same. */
import type { Text } from '../../messages/use-text.ts';
import { command, mayAsk, remove, rowCommands } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import type { ContainersState } from '../../stores/containers.ts';
import type { MenuEntry } from '../../ui/menu.tsx';

export const rowKeys = {
  start: 'S',
  stop: 'S',
  restart: 'R',
  pause: 'P',
  unpause: 'P',
  kill: '',
  terminal: 'T',
  logs: 'L',
  limits: 'M',
  remove: 'Del',
} as const;

export function rowMenu(
  row: ContainerRow,
  pending: ContainersState['pending'],
  t: Text,
  open: (id: string, view: string) => void,
): MenuEntry[] {
  const asked = pending.get(row.id);
  const views = (['terminal', 'logs', 'limits'] as const).map((view, index) => ({
    id: view,
    label: t(`view.${view}`),
    icon: view,
    shortcut: rowKeys[view],
    separated: index === 0,
    run: () => open(row.id, view),
  }));
  return [
    ...rowCommands
      .filter((verb) => mayAsk(row, verb))
      .map((verb) => ({
        id: verb,
        label: t(`verb.${verb}`),
        icon: verb,
        shortcut: rowKeys[verb],
        danger: verb === 'kill',
        disabled: asked !== undefined,
        run: () => void command([row.id], verb),
      })),
    ...views,
    {
      id: 'copy',
      label: t('containers.copyId'),
      icon: 'copy',
      separated: true,
      run: () => void navigator.clipboard.writeText(row.id),
    },
    {
      id: 'remove',
      label: t('verb.remove'),
      icon: 'remove',
      shortcut: rowKeys.remove,
      danger: true,
      separated: true,
      disabled: !mayAsk(row, 'remove', asked),
      run: () => void remove([row.id]),
    },
  ];
}
