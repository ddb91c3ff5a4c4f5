/** Pulls under way, with each layer's progress. */
import { create } from 'zustand';
import { type PullMessage, pullImage } from '../bridge/images.ts';
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

export const usePulls = create<{ pulls: Record<string, Pull> }>()(() => ({ pulls: {} }));

/** Pulls an image; resolves with whether it is there now. The progress is in the store meanwhile. */
export async function pull(reference: string): Promise<boolean> {
  const controller = new AbortController();
  const first: Pull = {
    reference,
    layers: [],
    startedAtMs: Date.now(),
    state: 'running',
    cancel: () => controller.abort(),
  };
  set(reference, first);
  try {
    for await (const message of pullImage(reference, controller.signal)) {
      if (message.error) throw new Error(message.error);
      change(reference, (now) => ({ ...now, layers: withMessage(now.layers, message) }));
    }
    const state = controller.signal.aborted ? 'cancelled' : 'done';
    change(reference, (now) => ({ ...now, state }));
    return state === 'done';
  } catch (error) {
    const cancelled = controller.signal.aborted;
    change(reference, (now) => ({
      ...now,
      state: cancelled ? 'cancelled' : 'failed',
      error: cancelled ? undefined : messageOf(error),
    }));
    return false;
  }
}

export function forgetPull(reference: string): void {
  usePulls.setState(({ pulls }) => {
    const { [reference]: _gone, ...rest } = pulls;
    return { pulls: rest };
  });
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

function set(reference: string, pullNow: Pull): void {
  usePulls.setState(({ pulls }) => ({ pulls: { ...pulls, [reference]: pullNow } }));
}

function change(reference: string, update: (now: Pull) => Pull): void {
  const now = usePulls.getState().pulls[reference];
  if (now) set(reference, update(now));
}
