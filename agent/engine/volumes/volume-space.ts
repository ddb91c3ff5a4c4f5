/** Volumes with limits, whose content lies in a space (agent/disk) mounted at their path. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readDiskLimits } from '../../contract/disk-options.ts';
import type { DiskLimits, SpaceUsage } from '../../contract/limits.ts';
import type { MakeSpace } from '../../disk/disk.ts';
import { conflict, invalid } from '../../errors.ts';
import { isLimited } from '../containers/layer.ts';
import { checkDisk } from '../containers/limit-checks.ts';
import { diskWarnings } from '../containers/limit-warnings.ts';
import { type EngineContext, reporter } from '../context.ts';
import { volumeDataName, volumesDirectory } from '../paths.ts';
import type { VolumeRecord } from '../state/volume-table.ts';

/** `size` is Docker's option; `inodes` is Corten's. */
export const limitOptions = ['size', 'inodes'];

/** Throws invalid for options that cannot be read. */
export function limitsOf({ size, inodes }: Record<string, string>): DiskLimits {
  const limits = readDiskLimits({ size, inodes }, invalid);
  checkDisk(limits);
  return limits;
}

/**
 * Returns the function that makes a volume's space, by its options, or undefined when it needs
 * none.
 */
export type VolumeMakers = (options: Record<string, string>) => MakeSpace | undefined;

/** Does the slow part before volumes with these options are made. */
export async function prepareVolumes(
  { disks }: Pick<EngineContext, 'disks'>,
  requests: readonly { driverOptions: Record<string, string> }[],
): Promise<VolumeMakers> {
  const ready = new Map<string, MakeSpace>();
  const directories = [{ name: volumeDataName, mode: 0o755 }];
  const needsSpace = (limits: DiskLimits) => isLimited(limits) || disks.volumes.freeOfCost;
  // Volumes that the image declares have no options.
  for (const { driverOptions: options } of [
    ...requests,
    { driverOptions: {} as Record<string, string> },
  ]) {
    const limits = limitsOf(options);
    if (options.device === undefined && needsSpace(limits))
      ready.set(JSON.stringify(limits), await disks.volumes.prepare(limits, directories));
  }
  return (options) =>
    options.device === undefined ? ready.get(JSON.stringify(limitsOf(options))) : undefined;
}

/** Makes a volume's space and mounts it. Nothing is left when that fails. */
export function makeVolumeSpace(
  { paths, disks }: Pick<EngineContext, 'paths' | 'disks'>,
  { name, space, limits }: VolumeRecord,
  makeSpace: MakeSpace,
): void {
  if (space === undefined) return;
  const directory = join(volumesDirectory(paths), name);
  mkdirSync(directory, { mode: 0o700 });
  try {
    makeSpace(space);
    disks.volumes.attach(space, limits ?? {});
  } catch (error) {
    disks.volumes.detach(space);
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Mounts all spaces at the agent's start, since they are not mounted after a reboot. */
export function attachVolumes(context: Pick<EngineContext, 'volumes' | 'disks' | 'report'>): void {
  for (const { name, space, limits } of context.volumes.all()) {
    if (space === undefined) continue;
    try {
      context.disks.volumes.attach(space, limits ?? {});
    } catch (error) {
      reporter(context, `mount the volume ${name}`)(error);
    }
  }
}

/** Unmounts the spaces at the agent's end. Containers keep those that they use. */
export function detachVolumes(context: Pick<EngineContext, 'volumes' | 'disks' | 'report'>): void {
  for (const { name, space } of context.volumes.all()) {
    if (space === undefined) continue;
    try {
      context.disks.volumes.detach(space);
    } catch (error) {
      reporter(context, `unmount the volume ${name}`)(error);
    }
  }
}

/**
 * Changes a volume's limits, even while containers use it: an absent value keeps the limit, `null`
 * removes it. A dry run changes nothing.
 */
export function updateVolume(
  { volumes, disks }: Pick<EngineContext, 'volumes' | 'disks'>,
  name: string,
  change: DiskLimits,
  dryRun: boolean,
): { volume: VolumeRecord; warnings: string[] } {
  const volume = volumes.find(name);
  const before = volume.limits ?? {};
  const after = { ...before, ...change };
  checkDisk(after);
  const warnings = diskWarnings({ disk: change }, volumeUsage({ disks }, volume));
  if (volume.space !== undefined)
    disks.volumes[dryRun ? 'check' : 'update'](volume.space, before, after);
  else if (isLimited(after))
    throw conflict(
      `the volume ${name} was created without a limit, and its files lie on a file system that has no project quota: create it again with -o size=…`,
    );
  const changed = { ...volume, limits: after };
  return { volume: dryRun ? changed : volumes.update(changed), warnings };
}

/** Returns undefined when the disk driver does not count. */
export function volumeUsage(
  { disks }: Pick<EngineContext, 'disks'>,
  { space, limits }: VolumeRecord,
): SpaceUsage | undefined {
  return space === undefined ? undefined : disks.volumes.usage(space, limits ?? {});
}
