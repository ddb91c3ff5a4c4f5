/** Changing the limits of a container, with the way back. */
import { create } from 'zustand';
import type { Limits } from '../../agent/contract/limits.ts';
import { getLimits, setLimits } from '../bridge/containers.ts';
import { type DryRunResult, foresee } from './dry-run.ts';
import { InOrder } from './in-order.ts';
import { atSwitch, perMachine } from './per-machine.ts';
import { messageOf } from './sentence.ts';
import { toast, toastError } from './toasts.ts';

export const useLimits = perMachine(
  create<{
    /** By container id: what is set now. */
    limits: Record<string, Limits>;
    errors: Record<string, string | undefined>;
  }>()(() => ({ limits: {}, errors: {} })),
);

const readings = new Map<string, InOrder>();
atSwitch(() => readings.clear());

export async function loadLimits(id: string): Promise<void> {
  const inOrder = readings.get(id) ?? new InOrder();
  readings.set(id, inOrder);
  await inOrder.read(
    () => getLimits(id),
    (limits) => put(id, limits),
    (error) => fail(id, messageOf(error)),
  );
}

export const dryRunLimits = (id: string, change: Limits): Promise<DryRunResult> =>
  foresee(() => setLimits(id, change, true));

/**
 * Applies a change to a running or stopped container. `back` is the change that undoes it. Resolves with
 * the reason, in the engine's own words, where it cannot be.
 */
export async function changeLimits(
  id: string,
  name: string,
  change: Limits,
  back: Limits | undefined,
): Promise<string | undefined> {
  try {
    await setLimits(id, change);
  } catch (error) {
    return messageOf(error);
  }
  await loadLimits(id);
  toast(
    { id: back ? 'toast.limits' : 'toast.limitsUndone', values: { name } },
    back && {
      label: { id: 'action.undo' },
      run: () => void undo(id, name, back),
    },
  );
  return undefined;
}

async function undo(id: string, name: string, back: Limits): Promise<void> {
  const refusal = await changeLimits(id, name, back, undefined);
  if (refusal !== undefined)
    toastError({ id: 'failed.limitsUndo', values: { name } }, new Error(refusal));
}

function put(id: string, limits: Limits): void {
  useLimits.setState((state) => ({
    limits: { ...state.limits, [id]: limits },
    errors: { ...state.errors, [id]: undefined },
  }));
}

function fail(id: string, message: string): void {
  useLimits.setState((state) => ({ errors: { ...state.errors, [id]: message } }));
}
