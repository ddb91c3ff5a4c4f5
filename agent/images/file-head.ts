/** Reads the first bytes of a file, which tell its kind. */
import { closeSync, openSync, readSync } from 'node:fs';
import { magicBytes } from './compression.ts';

export function headOf(path: string): Buffer {
  const fd = openSync(path, 'r');
  try {
    const head = Buffer.alloc(magicBytes);
    return head.subarray(0, readSync(fd, head, 0, magicBytes, 0));
  } finally {
    closeSync(fd);
  }
}
