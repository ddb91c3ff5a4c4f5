/** Turns samples into events: a limit that a container reached, told once an episode. */
import type { LimitEvent, PressureSample } from '../../contract/pressure.ts';

/** Refusals and hits that follow each other more closely than this are one episode. */
const episodeMs = 30_000;
export const throttledShare = 0.5;
const throttledForMs = 10_000;
/** Page cache pushes against every limit and can always go; this share of it is real need. */
const memoryNeedShare = 0.9;

/** A disk without room: because of a limit, or because the machine's disk is full. */
export interface FullDisk {
  cause: 'limit' | 'machine';
  /** Absent: the container's own files. */
  volume?: string;
}

/** Watches one container. OOM kills come from the kernel's log instead (oom/). */
export class LimitEvents {
  #lastRefusalMs = Number.NEGATIVE_INFINITY;
  #lastHitMs = Number.NEGATIVE_INFINITY;
  #lastFullMs = Number.NEGATIVE_INFINITY;
  #throttledMs = 0;
  #freeMs = throttledForMs;
  #throttled = false;

  observe(sample: PressureSample, fullDisk?: FullDisk): LimitEvent[] {
    return [
      this.#pids(sample),
      this.#memory(sample),
      this.#disk(sample, fullDisk),
      this.#cpu(sample),
    ].filter((event) => event !== undefined);
  }

  #pids({ atMs, pids: { refusals } }: PressureSample): LimitEvent | undefined {
    if (refusals === 0) return undefined;
    const known = atMs - this.#lastRefusalMs < episodeMs;
    this.#lastRefusalMs = atMs;
    return known ? undefined : { atMs, kind: 'pids-full', count: refusals };
  }

  #memory({ atMs, memory }: PressureSample): LimitEvent | undefined {
    const { limitHits, limitBytes, usedBytes } = memory;
    if (limitHits === 0 || limitBytes === null || usedBytes < limitBytes * memoryNeedShare)
      return undefined;
    const known = atMs - this.#lastHitMs < episodeMs;
    this.#lastHitMs = atMs;
    return known ? undefined : { atMs, kind: 'memory-limit', count: limitHits };
  }

  #disk({ atMs, intervalMs }: PressureSample, full?: FullDisk): LimitEvent | undefined {
    if (full === undefined) return undefined;
    const known = atMs - this.#lastFullMs < episodeMs;
    this.#lastFullMs = atMs;
    return known
      ? undefined
      : { atMs, kind: 'disk-full', count: Math.ceil(intervalMs / 1000), ...full };
  }

  /** Throttled in more than half of the periods for ten seconds; told again only after ten seconds without. */
  #cpu({ atMs, intervalMs, cpu }: PressureSample): LimitEvent | undefined {
    const share = cpu.periods === 0 ? 0 : cpu.throttledPeriods / cpu.periods;
    if (share <= throttledShare) {
      this.#throttledMs = 0;
      this.#freeMs += intervalMs;
      if (this.#freeMs >= throttledForMs) this.#throttled = false;
      return undefined;
    }
    this.#freeMs = 0;
    this.#throttledMs += intervalMs;
    if (this.#throttled || this.#throttledMs < throttledForMs) return undefined;
    this.#throttled = true;
    return { atMs, kind: 'throttled', count: Math.round(share * 100) };
  }
}
