/**
 * Removes a container: the record first, its directory after. A crash in between leaves a directory
 * without an owner, which the garbage collection at the next start removes.
 *
 * The few files of a container that wrote almost nothing are renamed and removed by the idle queue,
 * because that takes most of a removal's time.
 */
import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { containerPaths, removedDirectory, removedLayersDirectory } from '../paths.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { removeVolume } from '../volumes/volumes.ts';
import { cleanupKey } from './cleanup-key.ts';
import { endProcess } from './end-process.ts';

export async function removeContainer(
  context: EngineContext,
  reference: string,
  options: { force: boolean; volumes: boolean },
): Promise<void> {
  const { id } = context.containers.find(reference);
  for (;;) {
    const record = await context.locks.run(id, () => {
      const current = context.containers.get(id);
      if (current === undefined) return undefined;
      if (!options.force) refuseRunning(current);
      // This is read under the lock, so nothing can start the container before the removal.
      if (context.live.get(id) !== undefined) return current;
      return removeRecord(context, id, options).then(() => undefined);
    });
    if (record === undefined) return;
    await endProcess(context, id, { signal: 9, timeoutMs: 0 });
  }
}

function refuseRunning({ name, state: { status } }: ContainerRecord): void {
  if (status === 'paused')
    throw conflict(
      `cannot remove container "/${name}": container is paused and must be unpaused first`,
    );
  if (status === 'running' || status === 'restarting')
    throw conflict(
      `cannot remove container "/${name}": container is ${status}: stop the container before removing or force remove`,
    );
}

/** Removes a container that has no process. The caller holds its lock. */
export async function removeRecord(
  context: EngineContext,
  id: string,
  { volumes }: { volumes: boolean },
): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined) return;
  // The reason of a failed start is left out, because the CLI would print it twice.
  const result = { exitCode: record.state.exitCode };
  context.restarts.forget(id);
  context.exitWaiters.remember(id, result);
  context.containers.delete(id);
  context.pressure.forget(id);
  context.live.giveUp(id);
  await context.logReaders.gone(id);
  await removeDirectory(context, record);
  if (volumes) await removeOwnVolumes(context, record);
  emitContainerEvent(context.events, record, 'destroy');
  context.exitWaiters.wake(id, 'removal', result);
}

async function removeDirectory(
  { disks, paths, idleQueue }: Pick<EngineContext, 'disks' | 'paths' | 'idleQueue'>,
  { id, name, rootfs, logDirectory }: ContainerRecord,
): Promise<void> {
  const { directory, layer } = containerPaths(paths, id);
  if (rootfs.space !== undefined) {
    await idleQueue.flush(cleanupKey(id));
    await disks.layers.remove(rootfs.space);
    // The container's files were removed together with its space.
    for (const path of [directory, layer]) rmSync(path, { recursive: true, force: true });
    return;
  }
  const doomed = [
    [directory, join(removedDirectory(paths), id)],
    [layer, join(removedLayersDirectory(paths), id)],
  ] as const;
  // Large directories are removed before the reply, because the caller may need the disk space.
  if (isSmall([rootfs.upper, logDirectory]) && doomed.every(([from, to]) => isMoved(from, to)))
    idleQueue.add(`files of ${id}`, `remove the files of ${name}`, () => {
      // This is synchronous because the thread pool takes four times as long for it.
      for (const [, moved] of doomed) rmSync(moved, { recursive: true, force: true });
    });
  else {
    // Removed files keep their disk space while the container's root is mounted.
    await idleQueue.flush(cleanupKey(id));
    for (const path of doomed.flat()) await rm(path, { recursive: true, force: true });
  }
}

/** The kernel removes this many entries in about a millisecond. */
const fewEntries = 16;
const littleBytes = 1024 * 1024;

function isSmall(directories: readonly string[]): boolean {
  let [entriesLeft, bytesLeft] = [fewEntries, littleBytes];
  const pending = [...directories];
  try {
    for (let next = pending.pop(); next !== undefined; next = pending.pop())
      for (const entry of readdirSync(next, { withFileTypes: true })) {
        const path = join(next, entry.name);
        entriesLeft -= 1;
        if (entry.isFile()) bytesLeft -= lstatSync(path).size;
        if (entriesLeft < 0 || bytesLeft < 0) return false;
        if (entry.isDirectory()) pending.push(path);
      }
    return true;
  } catch {
    // A name that is not UTF-8 cannot be read this way, but the removal itself can handle it.
    return false;
  }
}

/**
 * Renames a directory aside. Returns false when it has to be removed in place, for example because
 * it is a mount point or the disk is full.
 */
function isMoved(directory: string, doomed: string): boolean {
  try {
    renameSync(directory, doomed);
    return true;
  } catch (error) {
    // ENOENT: somebody removed it by hand, or an older agent kept the layer elsewhere.
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EXDEV', 'ENOSPC', 'EDQUOT', 'EBUSY')) return false;
    throw error;
  }
}

async function removeOwnVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const name of record.ownVolumes)
    await removeVolume(context, name, { force: true }).catch(
      // Another container uses the volume by name, so it stays.
      reporter(context, `remove the anonymous volume ${name}`),
    );
}
