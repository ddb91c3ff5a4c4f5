/** Streams a container's output from the log that its shim writes. */
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

/** After this many bytes without a pause, other work of the agent gets its turn. */
const turnBytes = 1024 * 1024;

export interface FollowOptions {
  /** Where to begin: at the oldest record, or after the newest. */
  from: 'start' | 'end';
  /** Resolves when the container has ended. Undefined stops at the current end. */
  ended?: Promise<unknown>;
  /** Stops at this position, however fast the container writes. */
  end?: LogEnd;
  signal?: AbortSignal;
}

/** Streams the output bytes. Ends with the container or on abort. */
export async function* followOutput(
  directory: string,
  options: FollowOptions,
): AsyncIterable<OutputChunk> {
  for await (const { stream, data } of followFrames(directory, options)) yield { stream, data };
}

/**
 * Streams the records with their times. Segments that rotation removed before they were read are
 * skipped.
 */
export async function* followFrames(
  directory: string,
  { from, ended, end, signal }: FollowOptions,
): AsyncIterable<LogFrame> {
  using bell = ended === undefined ? undefined : new ChangeBell(directory, ended, signal);
  let reader = openFirst(directory, from, end);
  let sinceTurn = 0;
  try {
    while (!signal?.aborted) {
      // This is read before the log, so that a record written in between is not missed.
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
        // The last records of the segment may have come between the read above and the new segment.
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
  // Usually one access(2) is enough; the directory is listed only when rotation removed the next
  // segment.
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
    // The shim unlinked the segment after it was found, so the next one is wanted.
    return undefined;
  }
}

/** Wakes a reader when the log directory changed, the container ended, or the reader left. */
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
    // A watch that fails later means that the directory was removed, which is the container's end.
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
