import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { stopEngine, useMachine } from '../../stores/machine.ts';
import { ask } from '../../stores/question.ts';
import { Button } from '../../ui/button.tsx';
import { Page } from '../../ui/page.tsx';

export const machineViews = ['facts', 'userspace'] as const;
export type MachineView = (typeof machineViews)[number];

/** The machine: its head, the ways to its views, and the view. */
export function MachineFrame({ view, children }: { view: MachineView; children: ReactNode }) {
  const t = useText();
  const machine = useMachine((state) => state.machine);
  if (!machine) return null;
  const stop = async () => {
    const agreed = await ask({
      title: { id: 'machine.stopTitle' },
      body: [{ id: machine.kind === 'native' ? 'machine.stopNative' : 'machine.stopVm' }],
      confirm: { id: 'machine.stop' },
    });
    if (agreed) await stopEngine();
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
