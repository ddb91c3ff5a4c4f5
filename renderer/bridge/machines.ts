/** The machines themselves: which there are, their states, and what is asked of each. */
import type {
  DiagnosticsFile,
  Footprint,
  FootprintItem,
  MachineEntry,
  MachineKind,
  MachineQuestion,
  MachineState,
  Machines,
  MachineView,
  RemoteAddress,
  RemoteChoices,
  Removal,
} from '../../electron/contract/machines.ts';
import { host } from './bridge.ts';

export type {
  DiagnosticsFile,
  Footprint,
  FootprintItem,
  MachineEntry,
  MachineKind,
  MachineQuestion,
  MachineState,
  Machines,
  MachineView,
  RemoteAddress,
  RemoteChoices,
  Removal,
};

export function watchMachines(signal: AbortSignal): AsyncIterable<Machines> {
  return host().stream('machines.watch', null, signal);
}

export function startMachine(machine: string): Promise<MachineState> {
  return host().request('machine.start', { machine });
}

export function stopMachine(machine: string, force = false): Promise<MachineState> {
  return host().request('machine.stop', { machine, ...(force && { force }) });
}

/** Every request is a use of the machine, and resumes a paused one. */
export async function resumeMachine(machine: string): Promise<void> {
  await host().request('engine.request', { machine, method: 'GET', path: '/_ping' });
}

/** No answer calls off what asked. */
export function answerMachine(machine: string, question: string, answer?: string): Promise<void> {
  return host().request('machine.answer', { machine, question, answer });
}

export function addMachine(machine: Omit<MachineEntry, 'id'>): Promise<MachineEntry> {
  return host().request('machines.add', machine);
}

export function renameMachine(machine: string, name: string): Promise<void> {
  return host().request('machine.rename', { machine, name });
}

export function moveMachine(machine: string, address: RemoteAddress): Promise<void> {
  return host().request('machine.moveTo', { machine, address });
}

export function chooseFor(machine: string, choices: Partial<RemoteChoices>): Promise<void> {
  return host().request('machine.choose', { machine, choices });
}

export function getFootprint(machine: string): Promise<Footprint> {
  return host().request('machine.footprint', { machine });
}

export function removeMachine(machine: string, removal: Removal): Promise<void> {
  return host().request('machine.remove', { machine, ...removal });
}

export function getDiagnostics(
  machine: string,
): Promise<{ files: DiagnosticsFile[]; body: Uint8Array }> {
  return host().request('machine.diagnostics', { machine });
}
