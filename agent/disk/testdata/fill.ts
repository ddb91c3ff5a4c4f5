import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { hasErrno } from '../../kernel/libc.ts';

const blockBytes = 256 * 1024;

/** Writes until the file system refuses; bytes that went in. */
export function fill(path: string): number {
  const fd = openSync(path, 'w');
  const block = Buffer.alloc(blockBytes, 1);
  let written = 0;
  try {
    for (;;) written += writeSync(fd, block);
  } catch (error) {
    assert.ok(hasErrno(error, 'ENOSPC', 'EDQUOT'), String(error));
    return written;
  } finally {
    closeSync(fd);
  }
}
