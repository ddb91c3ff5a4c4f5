/** A container's log as lines, for `logs`: with times, a tail and a range. */
import type { LogRecord } from '../../api/containers/backend.ts';
import { endOfLog, type LogEnd, type LogFrame } from './log-file.ts';
import { followFrames } from './log-follow.ts';

/** A longer line is split, as dockerd's drivers do. */
const maxLineBytes = 16_384;
const newline = 0x0a;

export interface ReadLogOptions {
  stdout: boolean;
  stderr: boolean;
  /** The number of last lines to return. Undefined returns all. */
  tail?: number;
  since?: Date;
  until?: Date;
  /** Follows the log until this resolves. */
  ended?: Promise<unknown>;
  signal: AbortSignal;
}

export async function* readLog(
  directory: string,
  options: ReadLogOptions,
): AsyncIterable<LogRecord> {
  const wanted = (record: LogRecord) =>
    (record.stream === 'stdout' ? options.stdout : options.stderr) &&
    (options.since === undefined || record.time >= options.since);
  // Without following, the current end is the limit, because a busy container writes on meanwhile.
  const end = endOfLog(directory);
  let skip =
    options.tail === undefined
      ? 0
      : Math.max(0, (await countLines(directory, end, options)) - options.tail);
  for await (const record of lines(directory, end, options)) {
    if (options.until !== undefined && record.time > options.until) return;
    if (!(record.stream === 'stdout' ? options.stdout : options.stderr)) continue;
    if (skip > 0) skip--;
    else if (wanted(record)) yield record;
  }
}

async function* lines(
  directory: string,
  end: LogEnd,
  options: ReadLogOptions,
): AsyncIterable<LogRecord> {
  const assembler = { stdout: new LineAssembler('stdout'), stderr: new LineAssembler('stderr') };
  const frames = followFrames(directory, {
    from: 'start',
    signal: options.signal,
    ...(options.ended ? { ended: options.ended } : { end }),
  });
  for await (const frame of frames) yield* assembler[frame.stream].add(frame);
  yield* assembler.stdout.rest();
  yield* assembler.stderr.rest();
}

/** Counts the lines of the wanted streams up to a position, as {@link lines} splits them. */
async function countLines(
  directory: string,
  end: LogEnd,
  wanted: { stdout: boolean; stderr: boolean },
): Promise<number> {
  let count = 0;
  const assembler = { stdout: new LineAssembler('stdout'), stderr: new LineAssembler('stderr') };
  for await (const frame of followFrames(directory, { from: 'start', end }))
    if (wanted[frame.stream]) count += assembler[frame.stream].add(frame).length;
  return count + assembler.stdout.rest().length + assembler.stderr.rest().length;
}

/** Splits one stream's chunks into lines. A line has the time of its first byte. */
class LineAssembler {
  readonly #stream: LogRecord['stream'];
  #start: Buffer | undefined;
  #startNanos = 0n;

  constructor(stream: LogRecord['stream']) {
    this.#stream = stream;
  }

  add(frame: LogFrame): LogRecord[] {
    const records: LogRecord[] = [];
    let data = frame.data;
    let nanos = frame.timeNanos;
    if (this.#start !== undefined) {
      data = Buffer.concat([this.#start, data]);
      nanos = this.#startNanos;
      this.#start = undefined;
    }
    let offset = 0;
    while (offset < data.length) {
      const found = data.indexOf(newline, offset);
      const end = found === -1 ? data.length : found + 1;
      if (end - offset > maxLineBytes) {
        records.push(this.#record(nanos, data.subarray(offset, offset + maxLineBytes)));
        offset += maxLineBytes;
        continue;
      }
      if (found === -1) break;
      records.push(this.#record(nanos, data.subarray(offset, end)));
      offset = end;
      nanos = frame.timeNanos;
    }
    if (offset < data.length) {
      this.#start = data.subarray(offset);
      this.#startNanos = nanos;
    }
    return records;
  }

  rest(): LogRecord[] {
    const left = this.#start;
    this.#start = undefined;
    return left === undefined ? [] : [this.#record(this.#startNanos, left)];
  }

  #record(nanos: bigint, data: Buffer): LogRecord {
    return {
      stream: this.#stream,
      data,
      time: new Date(Number(nanos / 1_000_000n)),
      nanos: Number(nanos % 1_000_000_000n),
    };
  }
}
