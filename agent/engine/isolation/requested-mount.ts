/** Finds the requested mount for a mount entry of the kernel. */
import { posix } from 'node:path';
import type { MountView } from '../../contract/container.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';

/**
 * Compares the target or, where links of the image led the mount to another place (`/var/run` to
 * `/run`), the part of the file system that is mounted there.
 */
export function requestedMount(
  { mountPoint, root }: MountEntry,
  mounts: readonly MountView[],
): MountView | undefined {
  return (
    mounts.find(({ target }) => samePlace(target, mountPoint)) ??
    mounts.find(({ type, source }) => type !== 'tmpfs' && root !== '/' && source.endsWith(root))
  );
}

export function samePlace(target: string, mountPoint: string): boolean {
  return posix.normalize(`/${target}`).replace(/(.)\/$/, '$1') === mountPoint;
}
