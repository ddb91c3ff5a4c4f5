import { statfsSync } from 'node:fs';

/** Whether `path` has free space for this many bytes and for one more inode (statfs(2)). Throws Node's errors. */
export function hasFreeSpace(path: string, bytes: number): boolean {
  const { bavail, bsize, files, ffree } = statfsSync(path);
  // Some file systems, such as btrfs, count no inodes and answer 0.
  return bavail * bsize >= bytes && (files === 0 || ffree > 0);
}
