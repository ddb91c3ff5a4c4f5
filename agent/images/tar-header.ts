/**
 * Parses one tar header block: ustar (POSIX.1-2001 pax(1)), GNU (its tar manual, "Basic Tar Format") and V7. Names
 * are kept as bytes, one character per byte (latin1), because tar archives have no encoding.
 */
import { invalid } from '../errors.ts';

export const blockBytes = 512;

export interface RawHeader {
  name: string;
  mode: number;
  uid: number;
  gid: number;
  sizeBytes: number;
  modifiedNanos: bigint;
  /** The type flag; V7's NUL is read as '0'. */
  type: string;
  linkName: string;
  major: number;
  minor: number;
}

export function isZeroBlock(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

/** Throws invalid when the block's checksum is wrong. */
export function parseHeader(block: Buffer): RawHeader {
  verifyChecksum(block);
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0);
  const ustar = block.toString('latin1', 257, 263) === 'ustar\0';
  // GNU's magic is `ustar  `, and where ustar has a prefix it has times and sparse maps.
  const prefix = ustar ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    mode: numberAt(block, 100, 8, 'mode') & 0o7777,
    uid: numberAt(block, 108, 8, 'owner'),
    gid: numberAt(block, 116, 8, 'group'),
    sizeBytes: numberAt(block, 124, 12, 'size'),
    modifiedNanos: BigInt(numberAt(block, 136, 12, 'time', true)) * 1_000_000_000n,
    type: flag,
    linkName: textAt(block, 157, 100),
    major: numberAt(block, 329, 8, 'device'),
    minor: numberAt(block, 337, 8, 'device'),
  };
}

/** Text that ends at a NUL or at the field's end. */
function textAt(block: Buffer, offset: number, length: number): string {
  const end = block.indexOf(0, offset);
  return block.toString(
    'latin1',
    offset,
    end === -1 ? offset + length : Math.min(end, offset + length),
  );
}

/** A number in octal digits, or in big-endian two's complement when the first bit is set (GNU's base-256). */
export function numberAt(
  block: Buffer,
  offset: number,
  length: number,
  what: string,
  mayBeNegative = false,
): number {
  const first = block[offset] ?? 0;
  if (first & 0x80) return base256At(block, offset, length, what, mayBeNegative);
  const digits = textAt(block, offset, length).trim();
  if (digits === '') return 0;
  if (!/^[0-7]+$/.test(digits))
    throw invalid(`the archive is damaged: ${JSON.stringify(digits)} is not an octal ${what}`);
  return Number.parseInt(digits, 8);
}

function base256At(
  block: Buffer,
  offset: number,
  length: number,
  what: string,
  mayBeNegative: boolean,
): number {
  let value = BigInt((block[offset] ?? 0) & 0x7f);
  for (let index = 1; index < length; index++)
    value = (value << 8n) | BigInt(block[offset + index] ?? 0);
  const signed = BigInt.asIntN(length * 8 - 1, value);
  const number = Number(signed);
  if (!Number.isSafeInteger(number) || (number < 0 && !mayBeNegative))
    throw invalid(`the archive is damaged: a ${what} of ${signed} is absurd`);
  return number;
}

function verifyChecksum(block: Buffer): void {
  // The checksum's own field counts as eight spaces.
  let sum = 8 * 0x20;
  for (let index = 0; index < blockBytes; index++)
    if (index < 148 || index >= 156) sum += block[index] ?? 0;
  if (numberAt(block, 148, 8, 'checksum') !== sum)
    throw invalid('the archive is damaged or not a tar archive: a header has a wrong checksum');
}
