import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { bootStages } from '../../../agent/contract/guest-console.ts';
import type { MachineState, MachineView } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { useMachine } from '../../stores/machine.ts';
import { startAt, stopAt, useMachines } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { useWindowTitle } from '../../ui/use-window-title.ts';
import { ResourcesCard } from './resources.tsx';
import './machine.css';

/** Until the engine answers: what is happening, for how long, and what to do when it fails. */
export function StartScreen({
  machine,
  onAddress,
}: {
  machine: MachineState | undefined;
  onAddress: () => void;
}) {
  const t = useText();
  const connected = useMachine((state) => state.connected);
  const gone = useMachine((state) => state.gone);
  const shown = useMachines((state) => state.machines.find(({ id }) => id === state.shown));
  // Until the page knows of its machine there is nothing to say; a connection that fails says so itself.
  const isKnown = machine !== undefined || gone || !connected;
  const heading = gone ? t('machines.gone') : title(machine, connected, shown, t);
  useWindowTitle(isKnown ? heading : undefined);
  if (!isKnown) return <section className="start" aria-label={t('machine.title')} aria-busy />;
  if (gone)
    return (
      <section className="start" aria-label={t('machine.title')}>
        <div className="start-card">
          <h1>{heading}</h1>
          <p className="muted">{t('machines.goneHelp')}</p>
          <Link className="button main" href="~/">
            {t('machines.first')}
          </Link>
        </div>
      </section>
    );
  return (
    <section className="start" aria-label={t('machine.title')}>
      <div className="start-card">
        <h1>{heading}</h1>
        {connected ? null : <p className="muted">{t('machine.unreachableHelp')}</p>}
        {machine?.stages.length ? <StageList machine={machine} /> : null}
        {machine?.failure ? (
          <div className="start-failure" role="alert">
            <p>
              <strong>{t('machine.cause')}</strong> {machine.failure.cause}
            </p>
            <p>
              <strong>{t('machine.nextStep')}</strong> {machine.failure.nextStep}
            </p>
          </div>
        ) : null}
        {connected && shown && machine?.status === 'starting' ? <CancelStart of={shown} /> : null}
        {shown && (machine?.status === 'failed' || machine?.status === 'stopped') ? (
          <Button kind="main" icon="start" onClick={() => void startAt(shown.id)}>
            {t(startWord(machine))}
          </Button>
        ) : null}
        {shown?.remote && machine?.status === 'failed' ? (
          <Button onClick={onAddress}>{t('move.open')}</Button>
        ) : null}
      </div>
      {connected && machine && canBeSet(machine) ? <ResourcesCard machine={machine} /> : null}
    </section>
  );
}

/** A start takes minutes where the processor is emulated, and a connection may wait for an answer. */
function CancelStart({ of: { id, kind } }: { of: MachineView }) {
  const t = useText();
  const stopping = useMachines((state) => state.stopping[id]);
  const word = kind === 'remote' ? 'machine.cancelConnect' : 'machine.cancel';
  return (
    <Button disabled={stopping !== undefined} onClick={() => void stopAt(id)}>
      {t(stopping === undefined ? word : 'machine.stopping')}
    </Button>
  );
}

/** Too little memory may be why it did not start, and some settings only change while it is stopped. */
function canBeSet({ kind, status }: MachineState): boolean {
  return kind !== 'native' && kind !== 'remote' && (status === 'stopped' || status === 'failed');
}

/** Stages with their times; the one under way counts. */
export function StageList({ machine }: { machine: MachineState }) {
  const t = useText();
  const running = machine.stages.find((stage) => stage.status === 'running');
  const elapsedMs = useElapsed(running?.id, running?.elapsedMs);
  return (
    <ol className="start-stages" aria-live="polite">
      {machine.stages.map((stage) => {
        const ms = stage === running ? elapsedMs : stage.elapsedMs;
        return (
          <li key={stage.id} className={stage.status}>
            <Icon name={stageIcons[stage.status]} size={14} />
            <span className="start-stage">
              <span>{stageWord(stage.id, t)}</span>
              <span className="muted">{noteWords(stage, t)}</span>
            </span>
            <span className="unseen">{t(`machine.stageStatus.${stage.status}`)}</span>
            {/* It counts: a screen reader would say each tenth of a second. */}
            <span className="start-time" aria-hidden={stage === running}>
              {ms === undefined ? '' : seconds(ms)}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

const stageIcons = { waiting: 'created', running: 'right', done: 'check', failed: 'dead' } as const;

type Text = ReturnType<typeof useText>;

function startWord({ status, kind }: MachineState) {
  if (status === 'failed') return 'machine.again';
  return kind === 'remote' ? 'machines.connect' : 'machine.start';
}

function title(
  machine: MachineState | undefined,
  connected: boolean,
  shown: MachineView | undefined,
  t: Text,
): string {
  if (!connected) return t('machine.unreachable');
  // This computer's own engine is "Corten"; another machine is called by its name.
  if (machine === undefined || machine.kind === 'native' || shown === undefined) {
    if (machine?.failure?.lost) return t('machine.lost');
    return t(`machine.${machine?.status ?? 'starting'}`);
  }
  const { name } = shown;
  const isRemote = machine.kind === 'remote';
  if (machine.status === 'failed') {
    if (!machine.failure?.lost) return t('machines.failedTitle', { name });
    // It is all there, and goes on (DiskHold).
    const waits = machine.failure.stage === 'disks';
    return t(waits ? 'machines.waitsTitle' : 'machines.lostTitle', { name });
  }
  if (machine.status === 'stopped')
    return t(isRemote ? 'machines.disconnectedTitle' : 'machines.stoppedTitle', { name });
  return t(isRemote ? 'machines.connectTitle' : 'machines.startTitle', { name });
}

const knownStages = [
  'agent',
  'connect',
  'engine',
  'prepare',
  'vm',
  'boot',
  'ssh',
  'image',
  'disks',
  'reach',
  'login',
  'check',
  'install',
  'start',
] as const;

/** Most notes are sentences already; a step of the machine's own boot says nothing any more when it is done. */
function noteWords({ note, status }: MachineState['stages'][number], t: Text): string | undefined {
  const step = bootStages.find((one) => one === note);
  if (step) return status === 'done' ? undefined : t(`machine.note.${step}`);
  return note === 'resumed' ? t('machine.note.resumed') : note;
}

/** A stage that has no words yet shows its own name: better than none. */
function stageWord(id: string, t: Text): string {
  const known = knownStages.find((one) => one === id);
  return known ? t(`machine.stage.${known}`) : id;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Goes on from what was told of the stage: its window may have come later. */
function useElapsed(id: string | undefined, toldMs = 0): number {
  const [elapsedMs, setElapsedMs] = useState(0);
  useEffect(() => {
    if (id === undefined) return;
    const startedMs = Date.now() - toldMs;
    setElapsedMs(toldMs);
    const timer = setInterval(() => setElapsedMs(Date.now() - startedMs), 100);
    return () => clearInterval(timer);
  }, [id, toldMs]);
  return elapsedMs;
}
