/**
 * Reads the kernel's log from /dev/kmsg (Documentation/ABI/testing/dev-kmsg): each read returns one record, and
 * EAGAIN means that there is no further one.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from './libc.ts';

export interface KernelRecord {
  /** Sequence number since the machine's boot. */
  sequence: number;
  /** Whether the kernel wrote it: programs that write to /dev/kmsg never get facility 0. */
  fromKernel: boolean;
  text: string;
}

/** Size of the buffer: PRINTK_MESSAGE_MAX is 2048, and properties follow. */
const buffer = Buffer.alloc(8192);
/** Records per turn of the event loop: a log of 16 MiB has a hundred thousand. */
const recordsATurn = 500;

export class KernelLog {
  readonly #path: string;
  #descriptor: number | undefined;
  #last = -1;

  constructor(path = '/dev/kmsg') {
    this.#path = path;
  }

  /**
   * Yields records since the last call; the first call yields all that the kernel still has. Throws Node's error when
   * the log is absent or unreadable.
   */
  async *records(): AsyncGenerator<KernelRecord> {
    this.#descriptor ??= openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    for (let count = 1; this.#descriptor !== undefined; count++) {
      const text = readRecord(this.#descriptor);
      if (text === undefined) return;
      const record = parseRecord(text);
      // A reopened log begins with known records.
      if (record !== undefined && record.sequence > this.#last) {
        this.#last = record.sequence;
        yield record;
      }
      if (count % recordsATurn === 0) await nextTurn();
    }
  }

  /** Closes the log. The next call of `records` reopens it and continues. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** Reads a record: `undefined` at the end, '' for a lost one. */
function readRecord(descriptor: number): string | undefined {
  try {
    const length = readSync(descriptor, buffer, 0, buffer.length, null);
    return length === 0 ? undefined : buffer.toString('utf8', 0, length);
  } catch (error) {
    if (hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) return undefined;
    // EPIPE means that the record was overwritten; the next read continues with the oldest one.
    if (hasErrno(error, 'EPIPE')) return '';
    throw error;
  }
}

/** Parses `6,2345,482353012,-;text`, which lines of properties with a leading space may follow. */
export function parseRecord(record: string): KernelRecord | undefined {
  const match = /^(\d+),(\d+),\d+,[^;]*;([^\n]*)/.exec(record);
  if (match === null) return undefined;
  const [, priority, sequence, text = ''] = match;
  // The upper bits of the priority are the facility (syslog(2)).
  return { sequence: Number(sequence), fromKernel: Number(priority) >> 3 === 0, text };
}
