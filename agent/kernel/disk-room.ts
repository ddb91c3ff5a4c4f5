import { statfsSync } from 'node:fs';

/** Whether so many bytes and a file more can be written at `path` (statfs(2)). Throws Node's errors. */
export function hasRoom(path: string, bytes: number): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  // Some file systems, as btrfs, count no inodes.
  return bavail * bsize >= bytes && (files === 0 || ffree > 0);
}
