/** Where a folder is mounted, beside the file system itself. */
import { readFileSync, writeFileSync } from 'node:fs';
import { detachMount } from '../kernel/mount.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';

/** Of an agent that was ended with all that kept its mounts. */
export function detachDead(mountPath: string): void {
  const mounts = parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'));
  const mount = mounts.findLast(({ mountPoint }) => mountPoint === mountPath);
  if (mount?.type === 'fuse.corten') detachMount(mountPath);
}

const readAheadKb = 1024;

/** The kernel's own 128 KiB would ask the host eight times as often. */
export function readFurtherAhead(mountPath: string): void {
  try {
    const mounts = parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'));
    const mount = mounts.findLast(({ mountPoint }) => mountPoint === mountPath);
    writeFileSync(`/sys/class/bdi/${mount?.device}/read_ahead_kb`, String(readAheadKb));
  } catch {
    // Where sysfs cannot be written, reading is slower.
  }
}
