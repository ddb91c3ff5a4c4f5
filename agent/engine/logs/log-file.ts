/**
 * The framed log as the shim writes it (docs/on-disk.md): a directory of numbered segments, each a
 * run of records. A record is a 16-byte little-endian header (u64 time in nanoseconds since the
 * epoch, u32 length, u8 stream, u8 flags, u16 magic) and `length` bytes of output.
 *
 * The shim appends, starts a new segment when one is full and unlinks the oldest; readers only
 * read. A reader that holds a segment open can therefore always finish it.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

const headerBytes = 16;
const magic = 0x4c43;
export const maxRecordBytes = 65_536;
const readAheadBytes = 4 * (maxRecordBytes + headerBytes);

export interface LogFrame {
  timeNanos: bigint;
  stream: 'stdout' | 'stderr';
  data: Buffer;
}

/** Numbers of the existing segments, oldest first. */
export function listSegments(directory: string): number[] {
  return readdirSync(directory)
    .map((name) => /^(\d{8})\.log$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(8, '0')}.log`);
}

/** A position in the log. Records written after it are left out. */
export interface LogEnd {
  segment: number;
  bytes: number;
}

/** The current end of the log. */
export function endOfLog(directory: string): LogEnd {
  const segment = listSegments(directory).at(-1) ?? 0;
  // The newest segment is never unlinked, so it exists if any does.
  return { segment, bytes: segment === 0 ? 0 : statSync(segmentPath(directory, segment)).size };
}

/** Reads one segment from its beginning, and continues where it stopped when called again. */
export class SegmentReader {
  readonly number: number;
  readonly #fd: number;
  readonly #endBytes: number;
  #position = 0;
  #pending = Buffer.alloc(0);
  /** Set after a bad header: nothing behind it can be trusted, so the segment ends there. */
  #corrupt = false;

  constructor(directory: string, number: number, endBytes = Number.POSITIVE_INFINITY) {
    this.number = number;
    this.#endBytes = endBytes;
    this.#fd = openSync(segmentPath(directory, number), 'r');
  }

  /** The next whole records; empty when everything written so far was read. */
  next(): LogFrame[] {
    while (!this.#corrupt) {
      const frames = this.#take();
      if (frames.length > 0 || !this.#fill()) return frames;
    }
    return [];
  }

  close(): void {
    closeSync(this.#fd);
  }

  #fill(): boolean {
    const wantedBytes = Math.min(readAheadBytes, this.#endBytes - this.#position);
    if (wantedBytes <= 0) return false;
    const buffer = Buffer.allocUnsafe(wantedBytes);
    const count = readSync(this.#fd, buffer, 0, buffer.length, this.#position);
    if (count === 0) return false;
    this.#position += count;
    const fresh = buffer.subarray(0, count);
    this.#pending = this.#pending.length === 0 ? fresh : Buffer.concat([this.#pending, fresh]);
    return true;
  }

  #take(): LogFrame[] {
    const frames: LogFrame[] = [];
    let offset = 0;
    while (this.#pending.length - offset >= headerBytes) {
      const length = this.#pending.readUInt32LE(offset + 8);
      if (this.#pending.readUInt16LE(offset + 14) !== magic || length > maxRecordBytes) {
        this.#corrupt = true;
        break;
      }
      const end = offset + headerBytes + length;
      if (end > this.#pending.length) break;
      frames.push({
        timeNanos: this.#pending.readBigUInt64LE(offset),
        stream: this.#pending[offset + 12] === 2 ? 'stderr' : 'stdout',
        data: this.#pending.subarray(offset + headerBytes, end),
      });
      offset = end;
    }
    this.#pending = this.#pending.subarray(offset);
    return frames;
  }
}
