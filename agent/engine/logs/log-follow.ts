/** A container's output as raw chunks, from the log that its shim writes. */
import { existsSync, watch } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OutputChunk } from '../../api/containers/backend.ts';
import {
  type LogEnd,
  type LogFrame,
  listSegments,
  SegmentReader,
  segmentPath,
} from './log-file.ts';

/** After this much without a pause, other work of the agent gets its turn. */
const turnBytes = 1024 * 1024;

export interface FollowOptions {
  /** Where to begin: the first record that is kept, or after the last that is there now. */
  from: 'start' | 'end';
  /** Resolves when the container has ended; undefined: stop at the end of what is there. */
  ended?: Promise<unknown>;
  /** Stop there, however fast the container goes on writing. */
  end?: LogEnd;
  signal?: AbortSignal;
}

/** What the container writes, as it was written. Ends with the container, or when aborted. */
export async function* followOutput(
  directory: string,
  options: FollowOptions,
): AsyncIterable<OutputChunk> {
  for await (const { stream, data } of followFrames(directory, options)) yield { stream, data };
}

/** The same with times. Segments that rotation took away before they were reached are skipped. */
export async function* followFrames(
  directory: string,
  { from, ended, end, signal }: FollowOptions,
): AsyncIterable<LogFrame> {
  using bell = ended === undefined ? undefined : new ChangeBell(directory, ended, signal);
  let reader = openFirst(directory, from, end);
  let sinceTurn = 0;
  try {
    while (!signal?.aborted) {
      // Asked before reading, so that what is written between the read and the ring is not missed.
      const last = bell === undefined || bell.over;
      const frames = reader?.next() ?? [];
      for (const frame of frames) {
        yield frame;
        if (signal?.aborted) return;
        sinceTurn += frame.data.length;
      }
      if (frames.length > 0) {
        if (sinceTurn < turnBytes) continue;
        sinceTurn = 0;
        await nextTurn();
        continue;
      }
      const following = openNext(directory, reader?.number ?? 0, end);
      if (following !== undefined) {
        // Its last records may have come between the read above and the new segment's birth.
        yield* reader?.next() ?? [];
        reader?.close();
        reader = following;
        continue;
      }
      if (last) return;
      await bell.rung();
    }
  } finally {
    reader?.close();
  }
}

function openFirst(
  directory: string,
  from: 'start' | 'end',
  end: LogEnd | undefined,
): SegmentReader | undefined {
  if (from === 'start') return openNext(directory, 0, end);
  const newest = listSegments(directory).at(-1);
  if (newest === undefined) return undefined;
  const reader = new SegmentReader(directory, newest);
  while (reader.next().length > 0);
  return reader;
}

function openNext(
  directory: string,
  after: number,
  end: LogEnd | undefined,
): SegmentReader | undefined {
  if (end !== undefined && after >= end.segment) return undefined;
  // The usual case costs one access(2); a listing only when the successor was rotated away.
  if (after > 0 && existsSync(segmentPath(directory, after + 1)))
    return tryOpen(directory, after + 1, end) ?? openNext(directory, after + 1, end);
  const number = listSegments(directory).find((candidate) => candidate > after);
  return number === undefined
    ? undefined
    : (tryOpen(directory, number, end) ?? openNext(directory, number, end));
}

function tryOpen(
  directory: string,
  number: number,
  end: LogEnd | undefined,
): SegmentReader | undefined {
  try {
    return new SegmentReader(directory, number, number === end?.segment ? end.bytes : undefined);
  } catch {
    // The shim unlinked it between the look and the open: the next one is what we want.
    return undefined;
  }
}

/** Rings when something in the log directory changed, the container ended, or the reader left. */
class ChangeBell {
  over = false;
  #rings = 0;
  #seen = 0;
  #wake: () => void = () => {};
  readonly #watcher: ReturnType<typeof watch>;
  readonly #signal: AbortSignal | undefined;
  readonly #ring = () => {
    this.#rings++;
    this.#wake();
  };

  constructor(directory: string, ended: Promise<unknown>, signal: AbortSignal | undefined) {
    this.#watcher = watch(directory, this.#ring);
    // A watch that fails later (the directory was removed) is the container's end, not an error.
    this.#watcher.on('error', () => this.#end());
    this.#signal = signal;
    signal?.addEventListener('abort', this.#ring);
    ended.then(
      () => this.#end(),
      () => this.#end(),
    );
  }

  #end(): void {
    this.over = true;
    this.#ring();
  }

  async rung(): Promise<void> {
    if (this.#seen === this.#rings)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#seen = this.#rings;
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#signal?.removeEventListener('abort', this.#ring);
  }
}
