/** Prepares the mount point of a folder. */
import { readFileSync, writeFileSync } from 'node:fs';
import { detachMount } from '../kernel/mount.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';

/** Detaches the mount of an agent that was killed with the processes that kept its mounts. */
export function detachDead(mountPath: string): void {
  const mounts = parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'));
  const mount = mounts.findLast(({ mountPoint }) => mountPoint === mountPath);
  if (mount?.type === 'fuse.corten') detachMount(mountPath);
}

const readAheadKb = 1024;

/** Raises readahead: with the kernel's 128 KiB the host would get eight times as many requests. */
export function readFurtherAhead(mountPath: string): void {
  try {
    const mounts = parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'));
    const mount = mounts.findLast(({ mountPoint }) => mountPoint === mountPath);
    writeFileSync(`/sys/class/bdi/${mount?.device}/read_ahead_kb`, String(readAheadKb));
  } catch {
    // Without write access to sysfs, reading is only slower.
  }
}
