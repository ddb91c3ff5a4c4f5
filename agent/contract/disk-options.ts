import { readByteSize } from './byte-size.ts';
import type { DiskLimits } from './limits.ts';

/**
 * `size=10g`, as Docker's options write it, and our own `inodes=100000`; 0 asks for no limit. `refused` makes the
 * error of what cannot be read.
 */
export function readDiskLimits(
  { size, inodes }: { size?: string; inodes?: string },
  refused: (why: string) => Error,
): DiskLimits {
  const limits: DiskLimits = {};
  if (size !== undefined) {
    const bytes = readByteSize(size);
    if (bytes === undefined)
      throw refused(`invalid size: '${size}'. Write it as 512, 10m or 1.5g.`);
    limits.maxBytes = bytes || null;
  }
  if (inodes !== undefined) {
    if (!/^\d{1,10}$/.test(inodes)) throw refused(`invalid inodes: '${inodes}'. Write a number.`);
    limits.maxInodes = Number(inodes) || null;
  }
  return limits;
}
