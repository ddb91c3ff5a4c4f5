/** Parses extended headers: POSIX pax records, and GNU tar's three formats of sparse maps. */
import { invalid } from '../errors.ts';
import { blockBytes, numberAt } from './tar-header.ts';

/** One range of data in a sparse file; between ranges are holes. */
export interface DataRange {
  offset: number;
  lengthBytes: number;
}

const maxRanges = 1_000_000;

export type PaxRecords = Map<string, string>;

/**
 * Parses records `length key=value\n`, whose length includes itself. Values are bytes, one character per byte; a
 * later record of the same key wins, but the repeated ones of sparse format 0.0 are joined with commas.
 */
export function parsePax(bytes: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  let offset = 0;
  while (offset < bytes.length && bytes[offset] !== 0) {
    const space = bytes.indexOf(0x20, offset);
    const digits = space === -1 ? '' : bytes.toString('latin1', offset, space);
    const end = offset + Number(digits);
    if (!/^[1-9][0-9]{0,8}$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a)
      throw invalid('the archive is damaged: an extended header record has a wrong length');
    const record = bytes.toString('latin1', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 1) throw invalid('the archive is damaged: an extended header record has no key');
    addRecord(records, record.slice(0, equals), record.slice(equals + 1));
    offset = end;
  }
  return records;
}

function addRecord(records: PaxRecords, key: string, value: string): void {
  if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
    const map = records.get('GNU.sparse.map');
    records.set('GNU.sparse.map', map === undefined ? value : `${map},${value}`);
    return;
  }
  // The kernel would end the name at a NUL, but the checks here would not.
  if (value.includes('\0') && !key.startsWith('SCHILY.xattr.'))
    throw invalid(`the archive is damaged: the extended header ${key} holds a NUL`);
  records.set(key, value);
}

/** Time in nanoseconds from seconds with a fraction, which may be negative. */
export function paxTime(value: string): bigint {
  const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(value);
  if (match === null)
    throw invalid(`the archive is damaged: ${JSON.stringify(value)} is not a time`);
  const nanos =
    BigInt(match[2] ?? '0') * 1_000_000_000n + BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -nanos : nanos;
}

export function paxNumber(value: string, what: string): number {
  if (!/^\d{1,15}$/.test(value))
    throw invalid(`the archive is damaged: a ${what} of ${JSON.stringify(value)} is absurd`);
  return Number(value);
}

/** Parses `offset,length,offset,length,…` of formats 0.0 and 0.1. */
export function sparseMapOf(text: string): DataRange[] {
  const numbers = text === '' ? [] : text.split(',').map((item) => paxNumber(item, 'sparse map'));
  return rangesOf(numbers);
}

/** The four entries of a GNU header block, or the twenty-one of its continuation. */
export function gnuRanges(block: Buffer, offset: number, count: number): DataRange[] {
  const ranges: DataRange[] = [];
  for (let index = 0; index < count; index++) {
    const at = offset + index * 24;
    if (block[at] === 0) break;
    ranges.push({
      offset: numberAt(block, at, 12, 'sparse offset'),
      lengthBytes: numberAt(block, at + 12, 12, 'sparse length'),
    });
  }
  return ranges;
}

/** Reads the map that precedes the data in format 1.0: decimal numbers, one per line, padded. */
export class SparseMapReader {
  #text = '';
  readBytes = 0;

  /** Takes one block. Returns the ranges when they are complete. */
  block(block: Buffer): DataRange[] | undefined {
    this.readBytes += blockBytes;
    this.#text += block.toString('latin1');
    const lines = this.#text.split('\n');
    const count = lines.length > 1 ? paxNumber(lines[0] ?? '', 'sparse map') : 0;
    if (count > maxRanges) throw invalid(`the archive is absurd: a sparse map of ${count} entries`);
    if (lines.length <= 1 || lines.length <= 1 + count * 2) {
      if (this.readBytes > maxRanges * 32)
        throw invalid('the archive is damaged: an endless sparse map');
      return undefined;
    }
    return rangesOf(lines.slice(1, 1 + count * 2).map((line) => paxNumber(line, 'sparse map')));
  }
}

function rangesOf(numbers: number[]): DataRange[] {
  if (numbers.length % 2 !== 0 || numbers.length > maxRanges * 2)
    throw invalid('the archive is damaged: a sparse map is not pairs of numbers');
  const ranges: DataRange[] = [];
  for (let index = 0; index < numbers.length; index += 2)
    ranges.push({ offset: numbers[index] ?? 0, lengthBytes: numbers[index + 1] ?? 0 });
  return ranges;
}

/** Throws invalid unless the ranges are in order, do not overlap, lie inside the file and add up to `storedBytes`. */
export function checkRanges(ranges: DataRange[], sizeBytes: number, storedBytes: number): void {
  let end = 0;
  let total = 0;
  for (const { offset, lengthBytes } of ranges) {
    if (offset < end || offset + lengthBytes > sizeBytes)
      throw invalid('the archive is damaged: a sparse map leaves its file');
    end = offset + lengthBytes;
    total += lengthBytes;
  }
  if (total !== storedBytes)
    throw invalid('the archive is damaged: a sparse map does not fit its data');
}
