/** Writes a file system's data to the disk with syncfs(2). */
import { libcCall } from './libc.ts';

const syncfsCall = libcCall('syncfs', ['int']);

/** Blocks the calling thread until the file system of `fd` is written. */
export function syncFilesystem(fd: number): void {
  syncfsCall(undefined, fd);
}
