/** Pulls under way, with each layer's progress. */
import { create } from 'zustand';
import { type PullMessage, pullImage } from '../bridge/images.ts';
import { currentLook, whileLooking } from '../bridge/look.ts';
import { atSwitch } from './per-machine.ts';
import { messageOf } from './sentence.ts';

export interface LayerProgress {
  id: string;
  status: string;
  currentBytes: number;
  totalBytes: number;
  done: boolean;
}

export interface Pull {
  reference: string;
  layers: LayerProgress[];
  startedAtMs: number;
  state: 'running' | 'done' | 'failed' | 'cancelled';
  error?: string;
  cancel: () => void;
}

/** Those of the machine that is looked at. Another machine's go on meanwhile, and wait in `all`. */
export const usePulls = create<{ pulls: Record<string, Pull> }>()(() => ({ pulls: {} }));

const all = new Map<string, Record<string, Pull>>();
atSwitch(() => usePulls.setState({ pulls: all.get(currentLook().machine) ?? {} }));

/**
 * Pulls an image; resolves with whether it is there now, if its machine is still looked at then. The
 * progress is in the store meanwhile.
 */
export async function pull(reference: string): Promise<boolean> {
  const look = currentLook();
  const { machine } = look;
  const controller = new AbortController();
  const first: Pull = {
    reference,
    layers: [],
    startedAtMs: Date.now(),
    state: 'running',
    cancel: () => controller.abort(),
  };
  set(machine, reference, first);
  try {
    for await (const message of pullImage(reference, controller.signal)) {
      if (message.error) throw new Error(message.error);
      change(machine, reference, (now) => ({ ...now, layers: withMessage(now.layers, message) }));
    }
    const state = controller.signal.aborted ? 'cancelled' : 'done';
    change(machine, reference, (now) => ({ ...now, state }));
    return await whileLooking(look, Promise.resolve(state === 'done'));
  } catch (error) {
    const cancelled = controller.signal.aborted;
    change(machine, reference, (now) => ({
      ...now,
      state: cancelled ? 'cancelled' : 'failed',
      error: cancelled ? undefined : messageOf(error),
    }));
    return await whileLooking(look, Promise.resolve(false));
  }
}

export function forgetPull(reference: string): void {
  const { machine } = currentLook();
  const { [reference]: _gone, ...rest } = all.get(machine) ?? {};
  put(machine, rest);
}

const finished = new Set(['Pull complete', 'Already exists']);

export function withMessage(layers: LayerProgress[], message: PullMessage): LayerProgress[] {
  const { id, status = '' } = message;
  // Lines without a layer ("Digest: …", "Pulling from …") are about the whole image.
  if (!id || status.startsWith('Pulling from')) return layers;
  const known = layers.find((layer) => layer.id === id);
  const next: LayerProgress = {
    id,
    status,
    currentBytes: message.progressDetail?.current ?? known?.currentBytes ?? 0,
    totalBytes: message.progressDetail?.total ?? known?.totalBytes ?? 0,
    done: finished.has(status),
  };
  return known ? layers.map((layer) => (layer === known ? next : layer)) : [...layers, next];
}

function set(machine: string, reference: string, pullNow: Pull): void {
  put(machine, { ...all.get(machine), [reference]: pullNow });
}

function change(machine: string, reference: string, update: (now: Pull) => Pull): void {
  const now = all.get(machine)?.[reference];
  if (now) set(machine, reference, update(now));
}

function put(machine: string, pulls: Record<string, Pull>): void {
  all.set(machine, pulls);
  if (machine === currentLook().machine) usePulls.setState({ pulls });
}
