/** The machine that is looked at, and whether its host can be reached. */
import { create } from 'zustand';
import type { MachineAbilities } from '../../agent/contract/abilities.ts';
import { currentLook } from '../bridge/look.ts';
import type { MachineState } from '../bridge/machines.ts';
import { getAbilities, getInfo, type SystemInfo } from '../bridge/system.ts';
import { atSwitch } from './per-machine.ts';

export const useMachine = create<{
  machine: MachineState | undefined;
  /** The address names a machine that there is not (any more). */
  gone: boolean;
  connected: boolean;
  info: SystemInfo | undefined;
  abilities: MachineAbilities | undefined;
}>()(() => ({
  machine: undefined,
  gone: false,
  connected: true,
  info: undefined,
  abilities: undefined,
}));

atSwitch(() => useMachine.setState({ info: undefined, abilities: undefined }));

/** The machine's size: what limits are measured against. */
export async function loadInfo(): Promise<void> {
  useMachine.setState({ info: await getInfo() });
}

/** What it lets the engine do. An engine of before does not say. */
export async function loadAbilities(): Promise<void> {
  useMachine.setState({ abilities: await getAbilities().catch(() => undefined) });
}

/** Whether requests reach the engine; they resume a paused machine. Following its events does not. */
export function isUp(machine: MachineState | undefined): boolean {
  return machine?.status === 'running' || machine?.status === 'paused';
}

/** Calls back whenever the machine that is looked at begins to run, or ends; or is another one. */
export function onRunning(listener: (running: boolean) => void): void {
  let before: unknown;
  useMachine.subscribe(({ machine }) => {
    const running = isUp(machine);
    const now = running ? currentLook() : undefined;
    if (now === before) return;
    before = now;
    listener(false);
    if (running) listener(true);
  });
}
