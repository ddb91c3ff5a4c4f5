import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { MachineKind } from '../../bridge/machines.ts';
import type { MessageKey } from '../../messages/en.ts';
import { useText } from '../../messages/use-text.ts';
import { useMachine } from '../../stores/machine.ts';
import { stopAt, useMachines } from '../../stores/machines.ts';
import { ask } from '../../stores/question.ts';
import { Button } from '../../ui/button.tsx';
import { Page } from '../../ui/page.tsx';

export const machineViews = ['facts', 'userspace'] as const;
export type MachineView = (typeof machineViews)[number];

const stopWords: Partial<Record<MachineKind, MessageKey>> = {
  native: 'machine.stopNative',
  remote: 'machine.stopRemote',
};

/** The machine: its head, the ways to its views, and the view. */
export function MachineFrame({ view, children }: { view: MachineView; children: ReactNode }) {
  const t = useText();
  const machine = useMachine((state) => state.machine);
  const shown = useMachines((state) => state.shown);
  if (!machine || shown === undefined) return null;
  const stop = async () => {
    const agreed = await ask({
      title: { id: 'machine.stopTitle' },
      body: [{ id: stopWords[machine.kind] ?? 'machine.stopVm' }],
      confirm: { id: 'machine.stop' },
    });
    if (agreed) await stopAt(shown);
  };
  return (
    <Page
      title={t('machine.title')}
      tools={
        <>
          <span className="spacer" />
          <Button icon="stop" onClick={() => void stop()}>
            {t('machine.stop')}
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
      {children}
    </Page>
  );
}
