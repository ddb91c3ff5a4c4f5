/** A lock on a file, which ends with the process that holds it (flock(2)). */
import { closeSync, constants, openSync } from 'node:fs';
import { hasErrno, libcCall } from './libc.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

const flockCall = libcCall('flock', ['int', 'int']);

/** Takes the lock and returns its descriptor; `undefined` when another process has it. */
export function lockFile(path: string): number | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    flockCall(path, fd, LOCK_EX | LOCK_NB);
    return fd;
  } catch (error) {
    closeSync(fd);
    if (hasErrno(error, 'EAGAIN')) return undefined;
    throw error;
  }
}
