/**
 * Live figures. A container's stream is open while somebody looks at it and the window is visible:
 * views call `watch` and later what it returned. Leaving a row for a moment (scrolling) keeps it.
 */
import { create } from 'zustand';
import { type StatsSample, watchStats } from '../bridge/stats.ts';
import { atSwitch, perMachine } from './per-machine.ts';

export interface Figures {
  latest: StatsSample;
  /** Newest last; about one a second. */
  cpus: readonly number[];
  memory: readonly number[];
  pids: readonly number[];
  /** Bytes a second. */
  received: readonly number[];
  sent: readonly number[];
  read: readonly number[];
  written: readonly number[];
}

export const historyLength = 60;

export const useStats = perMachine(
  create<{ figures: Record<string, Figures> }>()(() => ({ figures: {} })),
);

interface Watch {
  viewers: number;
  stream?: AbortController;
  leaving?: ReturnType<typeof setTimeout>;
}

const watches = new Map<string, Watch>();
atSwitch(() => {
  for (const watch of watches.values()) {
    clearTimeout(watch.leaving);
    close(watch);
  }
  watches.clear();
});
const lingerMs = 1500;
const settleMs = 120;

export function watchFigures(id: string): () => void {
  const watch = watches.get(id) ?? { viewers: 0 };
  watches.set(id, watch);
  watch.viewers += 1;
  clearTimeout(watch.leaving);
  // Rows that only fly by while scrolling open nothing.
  const settled = setTimeout(() => open(id, watch), settleMs);
  return () => {
    clearTimeout(settled);
    watch.viewers -= 1;
    if (watch.viewers === 0) watch.leaving = setTimeout(() => drop(id, watch), lingerMs);
  };
}

/** Closes every stream while the window is hidden, and opens them again after. */
export function pauseFigures(hidden: boolean): void {
  for (const [id, watch] of watches) {
    if (hidden) close(watch);
    else open(id, watch);
  }
}

function open(id: string, watch: Watch): void {
  if (watches.get(id) !== watch) return;
  if (watch.stream || watch.viewers === 0 || globalThis.document?.hidden) return;
  const stream = new AbortController();
  watch.stream = stream;
  void follow(id, stream.signal).finally(() => {
    if (watch.stream === stream) watch.stream = undefined;
  });
}

async function follow(id: string, signal: AbortSignal): Promise<void> {
  try {
    for await (const sample of watchStats(id, signal)) {
      if (signal.aborted) return;
      useStats.setState(({ figures }) => ({
        figures: { ...figures, [id]: add(figures[id], sample) },
      }));
    }
  } catch {
    // The container stopped or the engine went away: its row says so already.
  }
}

function close(watch: Watch): void {
  watch.stream?.abort();
  watch.stream = undefined;
}

function drop(id: string, watch: Watch): void {
  close(watch);
  // After a switch the watch of this id, if there is one, is another machine's.
  if (watches.get(id) !== watch) return;
  watches.delete(id);
  useStats.setState(({ figures }) => {
    const { [id]: _gone, ...rest } = figures;
    return { figures: rest };
  });
}

export function add(before: Figures | undefined, sample: StatsSample): Figures {
  const last = before?.latest;
  const seconds = last ? (sample.atMs - last.atMs) / 1000 : 0;
  // A counter that fell belongs to a container that was started anew.
  const rate = (now: number, then: number | undefined) =>
    seconds > 0 && then !== undefined && now >= then ? (now - then) / seconds : 0;
  return {
    latest: sample,
    cpus: push(before?.cpus, sample.cpus),
    memory: push(before?.memory, sample.memoryBytes),
    pids: push(before?.pids, sample.pids),
    received: push(before?.received, rate(sample.receivedBytes, last?.receivedBytes)),
    sent: push(before?.sent, rate(sample.sentBytes, last?.sentBytes)),
    read: push(before?.read, rate(sample.readBytes, last?.readBytes)),
    written: push(before?.written, rate(sample.writtenBytes, last?.writtenBytes)),
  };
}

function push(values: readonly number[] | undefined, value: number): number[] {
  return [...(values ?? []).slice(-(historyLength - 1)), value];
}
