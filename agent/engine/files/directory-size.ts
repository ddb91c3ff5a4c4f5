import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { hasErrno } from '../../kernel/libc.ts';

const slash = Buffer.from('/');

/**
 * The bytes of all files below a directory, with hard links counted once. The directory may change
 * meanwhile.
 */
export async function directoryBytes(directory: string): Promise<number> {
  const seen = new Set<string>();
  let total = 0;
  const pending = [Buffer.from(directory)];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const entry of await entriesOf(next)) {
      const path = Buffer.concat([next, slash, entry.name]);
      if (entry.isDirectory()) pending.push(path);
      else total += await fileBytes(path, seen);
    }
  }
  return total;
}

/** Names are bytes and need not be UTF-8. */
async function entriesOf(directory: Buffer): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(directory, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function fileBytes(path: Buffer, seen: Set<string>): Promise<number> {
  try {
    const { nlink, dev, ino, size } = await lstat(path);
    if (nlink === 1) return size;
    const key = `${dev}:${ino}`;
    if (seen.has(key)) return 0;
    seen.add(key);
    return size;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}
