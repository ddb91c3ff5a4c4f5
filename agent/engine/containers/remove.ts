/**
 * Removing a container: the record first, its directory after. A crash in between leaves a
 * directory that nobody owns, which the sweep at the next start removes.
 *
 * The few files of a container that wrote nothing are moved aside and removed in spare time: removing
 * them takes most of a removal's time (docs/benchmarks.md).
 */
import { lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { conflict } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { announceContainer } from '../announce.ts';
import { type EngineContext, reporter } from '../context.ts';
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
      // Asked inside the lock: nothing can start it between this and the removal.
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

/** Removes one that has no process. The caller holds its lock. */
export async function removeRecord(
  context: EngineContext,
  id: string,
  { volumes }: { volumes: boolean },
): Promise<void> {
  const record = context.containers.get(id);
  if (record === undefined) return;
  // Without the reason of a failed start, which its own caller was told: the CLI would say it twice.
  const result = { exitCode: record.state.exitCode };
  context.restarts.forget(id);
  context.exitWaiters.remember(id, result);
  context.containers.delete(id);
  context.pressure.forget(id);
  context.live.giveUp(id);
  context.prebuiltSpec.forget(id);
  await context.logReaders.gone(id);
  await removeDirectory(context, record);
  if (volumes) await removeOwnVolumes(context, record);
  announceContainer(context.events, record, 'destroy');
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
    // Its files went with the space.
    for (const path of [directory, layer]) rmSync(path, { recursive: true, force: true });
    return;
  }
  const doomed = [
    [directory, join(removedDirectory(paths), id)],
    [layer, join(removedLayersDirectory(paths), id)],
  ] as const;
  // What takes up space is removed before anybody hears that it is gone: they may need it now.
  if (isSmall([rootfs.upper, logDirectory]) && doomed.every(([from, to]) => isMoved(from, to)))
    idleQueue.add(`files of ${id}`, `remove the files of ${name}`, () => {
      // Here and now: the walk through the thread pool takes four times as long, and wakes others.
      for (const [, moved] of doomed) rmSync(moved, { recursive: true, force: true });
    });
  else {
    // While its root is mounted, what is removed keeps its space.
    await idleQueue.flush(cleanupKey(id));
    for (const path of doomed.flat()) await rm(path, { recursive: true, force: true });
  }
}

/** As many as the kernel removes in about a millisecond, and as much as nobody misses. */
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
    // A name that is not UTF-8 cannot be read this way; the removal itself takes any.
    return false;
  }
}

/** Somebody may have mounted another file system there, and a full disk may refuse: then it goes where it is. */
function isMoved(directory: string, doomed: string): boolean {
  try {
    renameSync(directory, doomed);
    return true;
  } catch (error) {
    // ENOENT: removed by hand, or made before layers lay apart, and what is asked for is the case.
    if (hasErrno(error, 'ENOENT')) return true;
    if (hasErrno(error, 'EXDEV', 'ENOSPC', 'EDQUOT', 'EBUSY')) return false;
    throw error;
  }
}

async function removeOwnVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const name of record.ownVolumes)
    await removeVolume(context, name, { force: true }).catch(
      // Another container uses it by name by now: it stays.
      reporter(context, `remove the anonymous volume ${name}`),
    );
}
