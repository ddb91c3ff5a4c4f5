/**
 * Whether a container can still write. The kernel counts no writes that failed for want of room, so the room is looked
 * at: statfs(2), to which a project quota answers with what is left of it, and a file system of its own anyhow.
 */
import { hasRoom } from '../../kernel/disk-room.ts';
import type { EngineContext } from '../context.ts';
import type { FullDisk } from './blame.ts';

/** With less a larger write fails whole (992 KiB were left of 32 MiB by `dd bs=1M`: ext4, Linux 6.18). */
const leastBytes = 1024 ** 2;

type Parts = Pick<EngineContext, 'containers' | 'live' | 'paths'>;

/** Undefined while there is room, or nobody can say. */
export function fullDiskOf({ containers, live, paths }: Parts, id: string): FullDisk | undefined {
  const record = containers.get(id);
  const pid = live.get(id)?.process.pid;
  if (record === undefined || pid === undefined) return undefined;
  if (isFull(paths.root)) return { cause: 'machine' };
  if (!record.settings.readOnlyRootfs && isFull(`/proc/${pid}/root`)) return { cause: 'limit' };
  const volume = record.mounts.find(
    ({ type, readOnly, source }) => type === 'volume' && !readOnly && isFull(source),
  )?.name;
  return volume === undefined ? undefined : { cause: 'limit', volume };
}

function isFull(path: string): boolean {
  try {
    return !hasRoom(path, leastBytes);
  } catch {
    // It has just ended, or its root is not ours to look at.
    return false;
  }
}
