/** What people set of any machine, and what it takes of their computer, as the renderer asks for it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  CompactProgress,
  MachineChange,
  MachineFigures,
  MachineSettings,
} from '../../contract/machine.ts';
import type { Machine, MachineControls } from './machine.ts';

const figuresEveryMs = 2_000;

/** This computer's own engine, and another computer, have nothing that the app could set. */
export class NothingToSet extends Error {
  constructor() {
    super('This machine has no settings here, because the app did not create it.');
    this.name = 'NothingToSet';
  }
}

export async function changeSettings(
  machine: Machine,
  wanted: Partial<MachineSettings>,
): Promise<MachineChange> {
  const controls = controlsOf(machine);
  const before = controls.settings().settings;
  const view = await controls.change(wanted);
  const changed = (Object.keys(view.settings) as (keyof MachineSettings)[]).filter(
    (name) => view.settings[name] !== before[name],
  );
  const waits = (name: keyof MachineSettings) => view.afterRestart.includes(name);
  return {
    view,
    applied: changed.filter((name) => !waits(name)),
    afterRestart: changed.filter(waits),
  };
}

export async function* watchFigures(
  machine: Machine,
  signal: AbortSignal,
  everyMs = figuresEveryMs,
): AsyncGenerator<MachineFigures> {
  const controls = controlsOf(machine);
  while (!signal.aborted) {
    yield await controls.figures();
    // Aborted is not failed: nobody looks any more.
    await sleep(everyMs, undefined, { signal }).catch(() => {});
  }
}

export async function* compact(
  machine: Machine,
  signal: AbortSignal,
): AsyncGenerator<CompactProgress> {
  yield* controlsOf(machine).compact(signal);
}

function controlsOf({ controls }: Machine): MachineControls {
  if (controls === undefined) throw new NothingToSet();
  return controls;
}
