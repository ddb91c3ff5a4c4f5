/** All machines, all watched at once; `machine.ts` is the one that is looked at. */
import { create } from 'zustand';
import { currentLook, lookAt } from '../bridge/look.ts';
import {
  addMachine,
  answerMachine,
  chooseFor,
  type DiagnosticsFile,
  type Footprint,
  getDiagnostics,
  getFootprint,
  type MachineEntry,
  type MachineKind,
  type MachineView,
  moveMachine,
  type RemoteAddress,
  type RemoteChoices,
  type Removal,
  removeMachine,
  renameMachine,
  resumeMachine,
  startMachine,
  stopMachine,
  watchMachines,
} from '../bridge/machines.ts';
import { followConnection } from './connection.ts';
import { useMachine } from './machine.ts';
import { forgetMachine } from './per-machine.ts';
import { ask } from './question.ts';
import { messageOf, type Sentence } from './sentence.ts';
import { toast, toastError } from './toasts.ts';

export const useMachines = create<{
  machines: readonly MachineView[];
  kinds: readonly MachineKind[];
  notices: readonly string[];
  /** The machine that the window shows. */
  shown: string | undefined;
  /** Asked to stop, and not stopped yet; `hangs`: for longer than that usually takes. */
  stopping: Readonly<Record<string, 'stopping' | 'hangs'>>;
}>()(() => ({ machines: [], kinds: [], notices: [], shown: undefined, stopping: {} }));

/** Follows all machines until the signal aborts; asks again after a break. */
export async function followMachines(signal: AbortSignal): Promise<void> {
  followConnection(signal);
  while (!signal.aborted) {
    try {
      for await (const { machines, kinds, notices } of watchMachines(signal)) {
        useMachines.setState({ machines, kinds, notices });
        show(wanted);
      }
    } catch {
      // The host is gone: `connected` says so, and the next round finds it again.
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

let wanted: string | undefined;
/** Of the one that is shown: at another address it is another computer. */
let shownAddress: RemoteAddress | undefined;

/** Turns to a machine, at once or as soon as it is known of; without an id to the first one. */
export function show(id: string | undefined): void {
  wanted = id;
  const { machines, shown } = useMachines.getState();
  const found = id === undefined ? machines[0] : machines.find((machine) => machine.id === id);
  const hasMoved = JSON.stringify(found?.remote) !== JSON.stringify(shownAddress);
  if (found?.id !== shown || found?.id !== currentLook().machine || hasMoved) {
    lookAt(found?.id ?? '');
    shownAddress = found?.remote;
    forgetMachine();
    useMachines.setState({ shown: found?.id });
  }
  useMachine.setState({ machine: found?.state, gone: found === undefined && machines.length > 0 });
}

/** The one that the window shows. */
export function useShownMachine(): MachineView | undefined {
  return useMachines(({ machines, shown }) => machines.find(({ id }) => id === shown));
}

export function startAt(id: string): Promise<void> {
  return told({ id: 'failed.machineStart' }, () => startMachine(id));
}

/** Containers have ten seconds to end, when they are many; most machines need two. */
const timeoutMs = 5_000;

export async function stopAt(id: string, force = false): Promise<void> {
  if (!force && useMachines.getState().stopping[id] !== undefined) return;
  markStopping(id, 'stopping');
  const timer = setTimeout(() => markStopping(id, 'hangs'), timeoutMs);
  await told({ id: 'failed.machineStop' }, () => stopMachine(id, force));
  clearTimeout(timer);
  markStopping(id, undefined);
}

const stopWords: Partial<Record<MachineKind, Sentence['id']>> = {
  native: 'machine.stopNative',
  remote: 'machine.stopRemote',
};

/** After a word of what a stop means for its containers. */
export async function askAndStop(id: string, kind: MachineKind): Promise<void> {
  const agreed = await ask({
    title: { id: 'machine.stopTitle' },
    body: [{ id: stopWords[kind] ?? 'machine.stopVm' }],
    confirm: { id: 'machine.stop' },
  });
  if (agreed) await stopAt(id);
}

export async function restartAt(id: string): Promise<void> {
  await stopAt(id);
  // One that could not be stopped has said so, and goes on.
  await startAt(id);
}

export function resumeAt(id: string): Promise<void> {
  return told({ id: 'failed.machineResume' }, () => resumeMachine(id));
}

function markStopping(id: string, how: 'stopping' | 'hangs' | undefined): void {
  useMachines.setState(({ stopping: { [id]: _, ...others } }) => ({
    stopping: how === undefined ? others : { ...others, [id]: how },
  }));
}

export function answer(machine: string, question: string, text?: string): Promise<void> {
  return told({ id: 'failed.machineAnswer' }, () => answerMachine(machine, question, text));
}

/** Rejects with what is wrong about it; the start's own failures are the machine's state. */
export async function addAndStart(machine: Omit<MachineEntry, 'id'>): Promise<MachineEntry> {
  const entry = await addMachine(machine);
  void startAt(entry.id);
  return entry;
}

/** The reason, in the host's own words, where it cannot be. */
export async function rename(machine: string, name: string): Promise<string | undefined> {
  try {
    await renameMachine(machine, name);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The reason, in the host's own words, where it cannot be. One that was not stopped is connected to there. */
export async function moveTo(
  { id, state }: MachineView,
  address: RemoteAddress,
): Promise<string | undefined> {
  try {
    await moveMachine(id, address);
  } catch (error) {
    return messageOf(error);
  }
  if (state.status !== 'stopped') void startAt(id);
  return undefined;
}

export function choose(machine: string, choices: Partial<RemoteChoices>): Promise<void> {
  return told({ id: 'failed.machineChoose' }, () => chooseFor(machine, choices));
}

export function footprintOf(machine: string): Promise<Footprint> {
  return getFootprint(machine);
}

export function diagnosticsOf(
  machine: string,
): Promise<{ files: DiagnosticsFile[]; body: Uint8Array }> {
  return getDiagnostics(machine);
}

export async function removeAt(machine: MachineView, removal: Removal): Promise<void> {
  await removeMachine(machine.id, removal);
  toast({ id: 'toast.machineRemoved', values: { name: machine.name } });
}

async function told(
  failure: Parameters<typeof toastError>[0],
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    toastError(failure, error);
  }
}
