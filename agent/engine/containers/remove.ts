/**
 * Removing a container: the record first, its directory after. A crash in between leaves a
 * directory that nobody owns, which the sweep at the next start removes.
 */
import { readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { conflict } from '../../errors.ts';
import { announceContainer } from '../announce.ts';
import { type EngineContext, reporter } from '../context.ts';
import { containerPaths } from '../paths.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { removeVolume } from '../volumes/volumes.ts';
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
  context.waiters.remember(id, result);
  context.containers.delete(id);
  context.pressure.forget(id);
  context.live.giveUp(id);
  await context.logReaders.gone(id);
  await removeDirectory(context, containerPaths(context.paths, id).directory, record);
  if (volumes) await removeOwnVolumes(context, record);
  announceContainer(context.events, record, 'destroy');
  context.waiters.wake(id, 'removal', result);
}

async function removeDirectory(
  { disks }: Pick<EngineContext, 'disks'>,
  directory: string,
  { rootfs }: ContainerRecord,
): Promise<void> {
  if (rootfs.space !== undefined) await disks.remove(rootfs.space);
  // A container that wrote next to nothing has a handful of files: removing them here and now takes
  // a quarter of the time of the walk through the thread pool, and wakes no other thread.
  if (rootfs.space !== undefined || hasAtMost(fewEntries, rootfs.upper))
    rmSync(directory, { recursive: true, force: true });
  else await rm(directory, { recursive: true, force: true });
}

/** As many as the kernel removes in about a millisecond. */
const fewEntries = 16;

function hasAtMost(limit: number, directory: string): boolean {
  let left = limit;
  const pending = [directory];
  try {
    for (let next = pending.pop(); next !== undefined; next = pending.pop())
      for (const entry of readdirSync(next, { withFileTypes: true })) {
        left -= 1;
        if (left < 0) return false;
        if (entry.isDirectory()) pending.push(`${next}/${entry.name}`);
      }
    return true;
  } catch {
    // A name that is not UTF-8 cannot be read this way; the removal itself takes any.
    return false;
  }
}

async function removeOwnVolumes(context: EngineContext, record: ContainerRecord): Promise<void> {
  for (const name of record.ownVolumes)
    await removeVolume(context, name, { force: true }).catch(
      // Another container uses it by name by now: it stays.
      reporter(context, `remove the anonymous volume ${name}`),
    );
}
