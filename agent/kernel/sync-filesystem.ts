/** syncfs(2): everything written to a filesystem so far reaches the disk. */
import { libcCall } from './libc.ts';

const syncfsCall = libcCall('syncfs', ['int']);

/** Blocks the calling thread until the filesystem that `fd` lies on is written out. */
export function syncFilesystem(fd: number): void {
  syncfsCall(undefined, fd);
}
