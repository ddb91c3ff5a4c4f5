import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { MachineKind } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { useMachine } from '../../stores/machine.ts';
import { askAndStop, resumeAt, stopAt, useMachines } from '../../stores/machines.ts';
import { ask } from '../../stores/question.ts';
import { Button } from '../../ui/button.tsx';
import { Notice, Page } from '../../ui/page.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';

export const machineViews = ['facts', 'userspace'] as const;
export type MachineView = (typeof machineViews)[number];

/** The machine: its head, the ways to its views, and the view. */
export function MachineFrame({ view, children }: { view: MachineView; children: ReactNode }) {
  const t = useText();
  const machine = useMachine((state) => state.machine);
  const shown = useMachines((state) => state.shown);
  const stopping = useMachines((state) => state.shown && state.stopping[state.shown]);
  if (!machine || shown === undefined) return null;
  const isPaused = machine.status === 'paused' && stopping === undefined;
  return (
    <Page
      title={t('machine.title')}
      tools={
        <>
          {isPaused ? <StatusMark status="paused" word={t('machine.pausedHint')} /> : null}
          <span className="spacer" />
          {isPaused ? (
            <Button icon="start" onClick={() => void resumeAt(shown)}>
              {t('machine.resume')}
            </Button>
          ) : null}
          <Button
            icon="stop"
            disabled={stopping !== undefined}
            onClick={() => void askAndStop(shown, machine.kind)}
          >
            {t(stopping === undefined ? 'machine.stop' : 'machine.stopping')}
          </Button>
        </>
      }
    >
      <nav className="views" aria-label={t('machine.views')}>
        {machineViews.map((one) => (
          <Link
            key={one}
            href={one === 'facts' ? '/machine' : `/machine/${one}`}
            aria-current={one === view ? 'page' : undefined}
          >
            {t(`machine.view.${one}`)}
          </Link>
        ))}
      </nav>
      {stopping === 'hangs' && isForcible(machine.kind) ? <Hanging id={shown} /> : null}
      {children}
    </Page>
  );
}

/** This computer cannot be cut off from itself, and of another one only the connection ends. */
function isForcible(kind: MachineKind): boolean {
  return kind !== 'native' && kind !== 'remote';
}

/** A stop that takes too long, and the way out. */
function Hanging({ id }: { id: string }) {
  const t = useText();
  const force = async () => {
    const agreed = await ask({
      title: { id: 'machine.forceTitle' },
      body: [{ id: 'machine.forceBody' }],
      confirm: { id: 'machine.force' },
    });
    if (agreed) await stopAt(id, true);
  };
  return (
    <div className="machine-hanging">
      <Notice kind="warn">
        <p>{t('machine.hangs')}</p>
        <Button kind="danger" onClick={() => void force()}>
          {t('machine.force')}
        </Button>
      </Notice>
    </div>
  );
}
