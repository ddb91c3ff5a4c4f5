/** Removes a tree by descriptors: symbolic links are removed and never followed. */
import { constants, readdirSync } from 'node:fs';
import {
  type FileName,
  O_DIRECTORY,
  O_NOFOLLOW,
  openat2,
  Resolve,
  rmdirat,
  unlinkat,
  withFd,
} from './files.ts';
import { hasErrno } from './libc.ts';

/** Removes `name` in a directory with its content. An absent name is no error. */
export function removeTreeAt(directoryFd: number, name: FileName): void {
  try {
    unlinkat(directoryFd, name);
    return;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    // unlink(2) of a directory fails with EISDIR on Linux and with EPERM in POSIX.
    if (!hasErrno(error, 'EISDIR', 'EPERM')) throw error;
  }
  const flags = constants.O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  withFd(openat2(directoryFd, name, flags, Resolve.beneath | Resolve.noSymlinks), (fd) => {
    for (const child of namesIn(fd)) removeTreeAt(fd, child);
  });
  rmdirat(directoryFd, name);
}

/** Names in an open directory, as raw bytes with a final NUL when a name is not UTF-8. */
export function namesIn(directoryFd: number): FileName[] {
  return readdirSync(`/proc/self/fd/${directoryFd}`, { encoding: 'buffer' }).map((bytes) => {
    const text = bytes.toString('utf8');
    return Buffer.from(text).equals(bytes) ? text : Buffer.concat([bytes, Buffer.of(0)]);
  });
}
