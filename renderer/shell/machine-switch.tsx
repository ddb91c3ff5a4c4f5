import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { MachineView } from '../bridge/machines.ts';
import { ChangeAddress } from '../features/machines/change-address.tsx';
import { Diagnostics } from '../features/machines/diagnostics.tsx';
import { RemoveMachine } from '../features/machines/remove.tsx';
import { RenameMachine } from '../features/machines/rename.tsx';
import { useText } from '../messages/use-text.ts';
import { useMachine } from '../stores/machine.ts';
import { askAndStop, resumeAt, startAt, stopAt, useMachines } from '../stores/machines.ts';
import { IconButton } from '../ui/button.tsx';
import { Icon } from '../ui/icon.tsx';
import { Menu, type MenuEntry } from '../ui/menu.tsx';
import { placeOf } from './machine-router.tsx';

const icons = {
  running: 'running',
  paused: 'paused',
  starting: 'restarting',
  stopping: 'removing',
  stopped: 'created',
  failed: 'dead',
  unreachable: 'dead',
  asks: 'warning',
} as const;

type What = 'rename' | 'address' | 'remove' | 'diagnostics';

/** All machines with their states, and the way to each. */
export function MachineSwitch({ onAdd }: { onAdd: () => void }) {
  const t = useText();
  const { machines, shown } = useMachines();
  const [dialog, setDialog] = useState<{ what: What; id: string }>();
  const chosen = machines.find(({ id }) => id === dialog?.id);
  const close = () => setDialog(undefined);
  return (
    <section className="machine-switch" aria-label={t('machines.title')}>
      <header>
        <h2>{t('machines.title')}</h2>
        <IconButton icon="plus" label={t('machines.add')} onClick={onAdd} />
      </header>
      <ul>
        {machines.map((machine, index) => (
          <MachineRow
            key={machine.id}
            machine={machine}
            isFirst={index === 0}
            isShown={machine.id === shown}
            onDialog={(what) => setDialog({ what, id: machine.id })}
          />
        ))}
      </ul>
      {chosen && dialog?.what === 'rename' ? (
        <RenameMachine machine={chosen} onClose={close} />
      ) : null}
      {chosen && dialog?.what === 'address' ? (
        <ChangeAddress machine={chosen} onClose={close} />
      ) : null}
      {chosen && dialog?.what === 'diagnostics' ? (
        <Diagnostics machine={chosen} onClose={close} />
      ) : null}
      {chosen && dialog?.what === 'remove' ? (
        <RemoveMachine machine={chosen} onClose={close} />
      ) : null}
    </section>
  );
}

function MachineRow({
  machine,
  isFirst,
  isShown,
  onDialog,
}: {
  machine: MachineView;
  isFirst: boolean;
  isShown: boolean;
  onDialog: (what: What) => void;
}) {
  const t = useText();
  const connected = useMachine((state) => state.connected);
  const [place, navigate] = useLocation();
  const stopping = useMachines((all) => all.stopping[machine.id]);
  const state = connected ? (stopping ? 'stopping' : stateOf(machine)) : 'unreachable';
  const { id, name } = machine;
  // The same kind of place, where the other machine has it too.
  const section = /^\/(images|volumes|activity|machine(\/userspace)?)$/.test(place) ? place : '';
  return (
    <li className={`machine-row ${state}`}>
      <Link
        href={placeOf(id, isFirst, section)}
        aria-current={isShown ? 'true' : undefined}
        title={t('machines.open', { name, state: t(`machine.short.${state}`) })}
      >
        <Icon name={icons[state]} size={14} />
        <span className="truncate">{name}</span>
        <span className="unseen">{t(`machine.short.${state}`)}</span>
      </Link>
      <Menu
        trigger={<IconButton icon="more" label={t('machines.more', { name })} />}
        entries={entriesOf(machine, stopping, t, onDialog, () =>
          navigate(placeOf(id, isFirst, '/machine')),
        )}
      />
    </li>
  );
}

function stateOf({ state }: MachineView): Exclude<keyof typeof icons, 'unreachable' | 'stopping'> {
  return state.question ? 'asks' : state.status;
}

function stopWord(isRemote: boolean, stopping: 'stopping' | 'hangs' | undefined) {
  if (stopping !== undefined) return 'machines.stopping';
  return isRemote ? 'machines.disconnect' : 'machines.stop';
}

function entriesOf(
  { id, kind, state, removable }: MachineView,
  stopping: 'stopping' | 'hangs' | undefined,
  t: ReturnType<typeof useText>,
  onDialog: (what: What) => void,
  onSettings: () => void,
): MenuEntry[] {
  const isRemote = kind === 'remote';
  const isVirtual = !isRemote && kind !== 'native';
  const isStarting = state.status === 'starting';
  const isDown = state.status === 'stopped' || state.status === 'failed';
  const resume: MenuEntry[] =
    state.status === 'paused' && stopping === undefined
      ? [{ id: 'resume', icon: 'start', label: t('machines.resume'), run: () => void resumeAt(id) }]
      : [];
  return [
    ...resume,
    isDown
      ? {
          id: 'start',
          icon: 'start',
          label: t(isRemote ? 'machines.connect' : 'machines.start'),
          run: () => void startAt(id),
        }
      : {
          id: 'stop',
          icon: 'stop',
          label: t(stopWord(isRemote, stopping)),
          disabled: stopping !== undefined,
          run: () => void (isVirtual && !isStarting ? askAndStop(id, kind) : stopAt(id)),
        },
    { id: 'settings', icon: 'machine', label: t('machines.settings'), run: onSettings },
    {
      id: 'diagnostics',
      icon: 'download',
      label: t('diagnostics.menu'),
      run: () => onDialog('diagnostics'),
    },
    ...(removable
      ? ([
          {
            id: 'rename',
            icon: 'rename',
            label: t('machines.rename'),
            run: () => onDialog('rename'),
          },
          ...(isRemote
            ? ([
                {
                  id: 'address',
                  icon: 'open',
                  label: t('machines.address'),
                  run: () => onDialog('address'),
                },
              ] as const)
            : []),
          {
            id: 'remove',
            icon: 'remove',
            label: t('machines.remove'),
            danger: true,
            separated: true,
            run: () => onDialog('remove'),
          },
        ] satisfies MenuEntry[])
      : []),
  ];
}
