import { Tooltip } from '@base-ui/react/tooltip';
import { lazy, Suspense, useCallback, useRef, useState } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { ActivityPage } from './features/activity/page.tsx';
import { ContainerFrame, type View, views } from './features/container/frame.tsx';
import { Inspect } from './features/container/inspect.tsx';
import { Overview } from './features/container/overview.tsx';
import { ContainersPage } from './features/containers/page.tsx';
import { ImagesPage } from './features/images/page.tsx';
import { IsolationView } from './features/isolation/page.tsx';
import { LimitsView } from './features/limits/page.tsx';
import { LogsView } from './features/logs/page.tsx';
import { MachineFrame } from './features/machine/frame.tsx';
import { MachineFacts } from './features/machine/page.tsx';
import { StartScreen } from './features/machine/start-screen.tsx';
import { AddMachine } from './features/machines/add.tsx';
import { ChangeAddress } from './features/machines/change-address.tsx';
import { MachineQuestions } from './features/machines/question.tsx';
import { NewContainerPage } from './features/new-container/page.tsx';
import { Shortcuts } from './features/palette/shortcuts.tsx';
import { UserspaceMap } from './features/userspace/page.tsx';
import { VolumesPage } from './features/volumes/page.tsx';
import { useText } from './messages/use-text.ts';
import { BrokenPlace } from './shell/broken-place.tsx';
import { QuestionHost } from './shell/question.tsx';
import { Sidebar } from './shell/sidebar.tsx';
import { Toasts } from './shell/toasts.tsx';
import { useGlobalKeys } from './shell/use-global-keys.ts';
import type { ContainerRow } from './stores/container-row.ts';
import { isUp, useMachine } from './stores/machine.ts';
import { useShownMachine } from './stores/machines.ts';

// xterm and the palette are a third of the code; they come when they are wanted.
const TerminalView = lazy(() => import('./features/terminal/view.tsx'));
const Palette = lazy(() => import('./features/palette/palette.tsx'));

export function App() {
  return (
    <Tooltip.Provider delay={400}>
      <Shell />
      <QuestionHost />
      <Toasts />
    </Tooltip.Provider>
  );
}

function Shell() {
  const t = useText();
  const [place, navigate] = useLocation();
  const [overlay, setOverlay] = useState<'palette' | 'shortcuts' | 'add' | 'address'>();
  const connected = useMachine((state) => state.connected);
  const machine = useMachine((state) => state.machine);
  const shown = useShownMachine();
  const isRunning = isUp(machine);
  const main = useRef<HTMLElement>(null);
  const close = useCallback(() => setOverlay(undefined), []);
  const palette = useCallback(() => setOverlay('palette'), []);
  const shortcuts = useCallback(() => setOverlay('shortcuts'), []);
  const add = useCallback(() => setOverlay('add'), []);
  const address = useCallback(() => setOverlay('address'), []);
  const create = useCallback(() => navigate('/new'), [navigate]);
  useGlobalKeys({ palette, shortcuts, create });
  return (
    <div className="shell">
      <Sidebar onPalette={palette} onAdd={add} onSkip={() => main.current?.focus()} />
      <main ref={main} tabIndex={-1}>
        {connected || !isRunning ? null : (
          <p className="offline" role="alert">
            {t('machine.unreachable')}
          </p>
        )}
        {/* Nothing of one machine's places lives on in another's. */}
        <BrokenPlace key={shown?.id} place={place}>
          {isRunning ? <Paths /> : <StartScreen machine={machine} onAddress={address} />}
        </BrokenPlace>
      </main>
      {overlay === 'palette' ? (
        <Suspense fallback={null}>
          <Palette onClose={close} onShortcuts={shortcuts} />
        </Suspense>
      ) : null}
      {overlay === 'add' ? <AddMachine onClose={close} /> : null}
      {overlay === 'address' && shown ? <ChangeAddress machine={shown} onClose={close} /> : null}
      <MachineQuestions />
      {overlay === 'shortcuts' ? <Shortcuts onClose={close} /> : null}
    </div>
  );
}

function Paths() {
  return (
    <Switch>
      <Route path="/images" component={ImagesPage} />
      <Route path="/volumes" component={VolumesPage} />
      <Route path="/activity" component={ActivityPage} />
      <Route path="/machine/userspace">
        <MachineFrame view="userspace">
          <UserspaceMap />
        </MachineFrame>
      </Route>
      <Route path="/machine">
        <MachineFrame view="facts">
          <MachineFacts />
        </MachineFrame>
      </Route>
      <Route path="/new/:image?">
        {({ image }) => <NewContainerPage key={image} image={image && decodeURIComponent(image)} />}
      </Route>
      <Route path="/containers/:reference/:view?">
        {({ reference, view }) => <ContainerPlace reference={reference} view={toView(view)} />}
      </Route>
      <Route component={ContainersPage} />
    </Switch>
  );
}

function ContainerPlace({ reference, view }: { reference: string; view: View }) {
  return (
    <ContainerFrame key={reference} reference={reference} view={view}>
      {(row) => <ContainerView row={row} view={view} />}
    </ContainerFrame>
  );
}

function ContainerView({ row, view }: { row: ContainerRow; view: View }) {
  switch (view) {
    case 'overview':
      return <Overview row={row} />;
    case 'terminal':
      return (
        <Suspense fallback={null}>
          <TerminalView row={row} />
        </Suspense>
      );
    case 'logs':
      return <LogsView row={row} />;
    case 'limits':
      return <LimitsView row={row} />;
    case 'isolation':
      return <IsolationView row={row} />;
    case 'inspect':
      return <Inspect />;
  }
}

function toView(name: string | undefined): View {
  return views.find((view) => view === name) ?? 'overview';
}
