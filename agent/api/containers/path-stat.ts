/** Encodes the X-Docker-Container-Path-Stat header of the archive endpoints. */
import type { PathStat } from './backend.ts';

export const pathStatHeader = 'X-Docker-Container-Path-Stat';

/** Returns base64 of `{name,size,mode,mtime,linkTarget}`, with the mode in Go's bits. */
export function encodePathStat(stat: PathStat): string {
  const document = {
    name: stat.name,
    size: stat.sizeBytes,
    mode: goFileMode(stat.mode),
    mtime: stat.modifiedAt.toISOString(),
    linkTarget: stat.linkTarget,
  };
  return Buffer.from(JSON.stringify(document)).toString('base64');
}

const kindMask = 0o170000;

/** File kinds of st_mode (inode(7)) and Go's bits for them (io/fs.FileMode). */
const kindBits: ReadonlyMap<number, number> = new Map([
  [0o040000, 2 ** 31],
  [0o120000, 2 ** 27],
  [0o060000, 2 ** 26],
  [0o010000, 2 ** 25],
  [0o140000, 2 ** 24],
  [0o020000, 2 ** 26 + 2 ** 21],
]);

const specialBits: readonly [posix: number, go: number][] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

/**
 * Converts st_mode to Go's FileMode. It adds the bits, because Go's directory bit does not fit JavaScript's signed
 * 32-bit operators.
 */
export function goFileMode(mode: number): number {
  const special = specialBits
    .filter(([posix]) => (mode & posix) !== 0)
    .reduce((sum, [, go]) => sum + go, 0);
  return (mode & 0o777) + (kindBits.get(mode & kindMask) ?? 0) + special;
}
