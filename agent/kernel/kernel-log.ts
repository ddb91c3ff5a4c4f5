/**
 * The kernel's log, record by record, through /dev/kmsg (Documentation/ABI/testing/dev-kmsg): each
 * read gives one record, and EAGAIN says that there are no more yet.
 */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from './libc.ts';

export interface KernelRecord {
  /** Counts up from the machine's start. */
  sequence: number;
  /** Written by the kernel itself: programs that write to /dev/kmsg never get facility 0. */
  fromKernel: boolean;
  text: string;
}

/** PRINTK_MESSAGE_MAX is 2048, and properties follow. */
const buffer = Buffer.alloc(8192);
/** A log of 16 MiB has a hundred thousand records: others get their turn between. */
const recordsATurn = 500;

export class KernelLog {
  readonly #path: string;
  #descriptor: number | undefined;
  #last = -1;

  constructor(path = '/dev/kmsg') {
    this.#path = path;
  }

  /**
   * What came since the last call; the first call gives all that the kernel still has. Throws
   * Node's error when the log is not there or may not be read.
   */
  async *records(): AsyncGenerator<KernelRecord> {
    this.#descriptor ??= openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    for (let count = 1; this.#descriptor !== undefined; count++) {
      const text = readRecord(this.#descriptor);
      if (text === undefined) return;
      const record = parseRecord(text);
      // A log that was opened anew begins with what is known already.
      if (record !== undefined && record.sequence > this.#last) {
        this.#last = record.sequence;
        yield record;
      }
      if (count % recordsATurn === 0) await nextTurn();
    }
  }

  /** The next call of `records` opens it again, and goes on from where this one was. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** Undefined at the end; '' for one that was lost. */
function readRecord(descriptor: number): string | undefined {
  try {
    const length = readSync(descriptor, buffer, 0, buffer.length, null);
    return length === 0 ? undefined : buffer.toString('utf8', 0, length);
  } catch (error) {
    if (hasErrno(error, 'EAGAIN', 'EWOULDBLOCK')) return undefined;
    // EPIPE: overwritten before it was read; the next read goes on with the oldest there is.
    if (hasErrno(error, 'EPIPE')) return '';
    throw error;
  }
}

/** `6,2345,482353012,-;text`, then lines of properties that begin with a space. */
export function parseRecord(record: string): KernelRecord | undefined {
  const match = /^(\d+),(\d+),\d+,[^;]*;([^\n]*)/.exec(record);
  if (match === null) return undefined;
  const [, priority, sequence, text = ''] = match;
  // syslog(2): the priority's upper bits are the facility.
  return { sequence: Number(sequence), fromKernel: Number(priority) >> 3 === 0, text };
}
