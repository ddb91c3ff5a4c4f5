/** Which of the mounts that were asked for an entry of the kernel is. */
import { posix } from 'node:path';
import type { MountView } from '../../contract/container.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';

/**
 * By its place; or, where links of the image led it to another place than was asked for (`/var/run`
 * to `/run`), by the part of its file system that is mounted there.
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
