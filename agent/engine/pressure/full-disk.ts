/**
 * Whether a container can still write. The kernel counts no writes that failed for want of room, so the room is looked
 * at: statfs(2), to which a project quota answers with what is left of it, and a file system of its own anyhow. Where
 * it says nothing of a limit, as on btrfs, the limit's driver is asked.
 */
import { dirname } from 'node:path';
import type { DiskDriver } from '../../disk/disk.ts';
import { hasFreeSpace } from '../../kernel/disk-free-space.ts';
import type { EngineContext } from '../context.ts';
import type { FullDisk } from './limit-events.ts';

/** With less a larger write fails whole (992 KiB were left of 32 MiB by `dd bs=1M`: ext4, Linux 6.18). */
const leastBytes = 1024 ** 2;

type Parts = Pick<EngineContext, 'containers' | 'live' | 'paths' | 'disks' | 'volumes'>;

/** Undefined while there is room, or nobody can say. */
export function fullDiskOf(parts: Parts, id: string): FullDisk | undefined {
  const { containers, live, paths, volumes } = parts;
  const record = containers.get(id);
  const pid = live.get(id)?.process.pid;
  if (record === undefined || pid === undefined) return undefined;
  if (isFull(paths.root)) return { cause: 'machine' };
  const { layers, volumes: volumeSpaces } = parts.disks;
  const isFullIn = (driver: DiskDriver, path: string, space: string | undefined) =>
    isFull(path) || isAtLimit(driver, space);
  const { space } = record.rootfs;
  if (!record.settings.readOnlyRootfs && isFullIn(layers, `/proc/${pid}/root`, space)) {
    // Without a limit of its own, or before it, it is what all containers may take of the machine's.
    const isEverybodys = space === undefined || isFull(dirname(dirname(space)));
    return { cause: isEverybodys ? 'machine' : 'limit' };
  }
  const volume = record.mounts.find(
    ({ type, readOnly, source, name = '' }) =>
      type === 'volume' && !readOnly && isFullIn(volumeSpaces, source, volumes.get(name)?.space),
  )?.name;
  return volume === undefined ? undefined : { cause: 'limit', volume };
}

function isFull(path: string): boolean {
  try {
    return !hasFreeSpace(path, leastBytes);
  } catch {
    // It has just ended, or its root is not ours to look at.
    return false;
  }
}

function isAtLimit(driver: DiskDriver, space: string | undefined): boolean {
  if (space === undefined || !driver.bytesOnly) return false;
  try {
    const { usedBytes, maxBytes } = driver.usage(space, {});
    return maxBytes !== undefined && maxBytes - usedBytes < leastBytes;
  } catch {
    // It has just been removed.
    return false;
  }
}
