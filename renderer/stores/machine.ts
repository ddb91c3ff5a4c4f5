/** The machine that runs the engine, and whether its host can be reached. */
import { create } from 'zustand';
import {
  getInfo,
  type MachineState,
  type SystemInfo,
  startMachine,
  stopMachine,
  watchConnection,
  watchMachine,
} from '../bridge/system.ts';
import { toastError } from './toasts.ts';

export const useMachine = create<{
  machine: MachineState | undefined;
  connected: boolean;
  info: SystemInfo | undefined;
}>()(() => ({ machine: undefined, connected: true, info: undefined }));

/** Follows the machine until the signal aborts; asks again after a break. */
export async function followMachine(signal: AbortSignal): Promise<void> {
  const unwatch = watchConnection((connected) => useMachine.setState({ connected }));
  signal.addEventListener('abort', unwatch);
  while (!signal.aborted) {
    try {
      for await (const machine of watchMachine(signal)) useMachine.setState({ machine });
    } catch {
      // The host is gone: `connected` says so, and the next round finds it again.
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** The machine's size: what limits are measured against. */
export async function loadInfo(): Promise<void> {
  useMachine.setState({ info: await getInfo() });
}

export async function startEngine(): Promise<void> {
  try {
    useMachine.setState({ machine: await startMachine() });
  } catch (error) {
    toastError({ id: 'failed.machineStart' }, error);
  }
}

export async function stopEngine(): Promise<void> {
  try {
    useMachine.setState({ machine: await stopMachine() });
  } catch (error) {
    toastError({ id: 'failed.machineStop' }, error);
  }
}
