/** Garbage collection: removes what a crash left behind and no container owns. */
import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskDriver } from '../disk/disk.ts';
import { type EngineContext, reporter } from './context.ts';
import { isId } from './ids.ts';
import {
  containersDirectory,
  layersDirectory,
  removedDirectory,
  removedLayersDirectory,
  runsDirectory,
  spaceName,
  volumesDirectory,
} from './paths.ts';

/** Runs at the agent's start, before any request. */
export async function sweep(context: EngineContext): Promise<void> {
  const { containers, volumes, live, paths } = context;
  await sweepCgroups(context);
  const { disks } = context;
  const isContainers = (id: string) => containers.get(id) !== undefined;
  const isLayers = (name: string) => !isId(name) || isContainers(name);
  const isVolumes = (name: string) => volumes.get(name) !== undefined;
  await removeSpaces(context, disks.layers, containersDirectory(paths), isContainers);
  await removeSpaces(context, disks.layers, layersDirectory(paths), isLayers);
  await removeSpaces(context, disks.volumes, volumesDirectory(paths), isVolumes);
  await removeStrays(context, containersDirectory(paths), isContainers);
  await removeStrays(context, layersDirectory(paths), isLayers);
  await removeStrays(context, removedDirectory(paths), () => false);
  await removeStrays(context, removedLayersDirectory(paths), () => false);
  await removeStrays(context, runsDirectory(paths), (id) => live.get(id) !== undefined);
  await removeStrays(context, volumesDirectory(paths), isVolumes);
  await context.images.sweep();
}

async function sweepCgroups({ cgroups, live, report }: EngineContext): Promise<void> {
  for (const name of cgroups.list()) {
    if (live.get(name) !== undefined) continue;
    const cgroup = cgroups.open(name);
    try {
      // The processes in this cgroup belong to no container any more.
      cgroup.kill();
      await cgroup.remove();
    } catch (error) {
      report(`remove the left-over cgroup ${name}`, error);
    }
  }
}

/** A space may be mounted, and its content must not be removed through the mount. */
async function removeSpaces(
  context: EngineContext,
  driver: DiskDriver,
  directory: string,
  isOwned: (name: string) => boolean,
): Promise<void> {
  for (const name of readdirSync(directory)) {
    if (isOwned(name)) continue;
    const space = join(directory, name, spaceName);
    await driver.remove(space).catch(reporter(context, `remove the left-over ${space}`));
  }
}

async function removeStrays(
  context: EngineContext,
  directory: string,
  isOwned: (name: string) => boolean,
): Promise<void> {
  for (const name of readdirSync(directory)) {
    if (isOwned(name)) continue;
    await rm(join(directory, name), { recursive: true, force: true }).catch(
      reporter(context, `remove the left-over ${join(directory, name)}`),
    );
  }
}
