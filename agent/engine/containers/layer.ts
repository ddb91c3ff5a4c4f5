/**
 * A container's writable layer: `upper` and `work` on the state file system, or in a space with a
 * disk limit (agent/disk). Code outside the container opens the layer before it reads or mounts it.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerView } from '../../contract/container.ts';
import type { DiskLimits, SpaceUsage } from '../../contract/limits.ts';
import type { MakeSpace } from '../../disk/disk.ts';
import { conflict } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerPaths } from '../paths.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { layerDirectories, makeDirectory, privateMode } from './container-directories.ts';

type DiskContext = Pick<EngineContext, 'disks'>;
type LayerOf = Pick<ContainerRecord, 'rootfs' | 'settings'>;

/** Returns undefined when the layer needs no disk space of its own. */
export async function prepareLayer(
  { disks }: DiskContext,
  limits: DiskLimits,
): Promise<MakeSpace | undefined> {
  return isLimited(limits) || disks.layers.freeOfCost
    ? disks.layers.prepare(limits, layerDirectories)
    : undefined;
}

/**
 * Checks at the agent's start that this machine can enforce the default disk limit. Throws
 * unavailable when it cannot.
 */
export async function prepareDefaultLayer({
  disks,
  defaultDisk,
}: Pick<EngineContext, 'disks' | 'defaultDisk'>): Promise<void> {
  if (typeof defaultDisk === 'number')
    await disks.layers.prepare({ maxBytes: defaultDisk }, layerDirectories);
}

export const isLimited = ({ maxBytes, maxInodes }: DiskLimits) =>
  (maxBytes ?? maxInodes ?? null) !== null;

/** Makes the layer's directories, in a space of its own if `makeSpace` is given. */
export function makeLayer(
  { disks, layerDirectoryPool }: Pick<EngineContext, 'disks' | 'layerDirectoryPool'>,
  paths: ContainerPaths,
  makeSpace: MakeSpace | undefined,
): Omit<ContainerRecord['rootfs'], 'lowers'> {
  const { layer } = paths;
  if (makeSpace === undefined) {
    if (!layerDirectoryPool.takeAs(layer)) makeDirectory(layer, layerDirectories);
    return within(layer);
  }
  const space = newSpace({ disks }, paths);
  if (disks.layers.amongLayers) mkdirSync(layer, { mode: privateMode });
  makeSpace(space);
  return { ...within(space), space };
}

/** The path of a new layer's space. */
export const newSpace = ({ disks }: DiskContext, { disk, layerDisk }: ContainerPaths) =>
  disks.layers.amongLayers ? layerDisk : disk;

const within = (place: string) => ({ upper: join(place, 'upper'), work: join(place, 'work') });

export interface OpenLayer {
  /** The layer's paths for this process, valid until `close`. */
  rootfs: ContainerView['rootfs'];
  /** A detached mount that a start attaches below the container's root. */
  mount: { fd: number; directory: string } | undefined;
  close(): void;
}

export function openLayer({ disks }: DiskContext, { rootfs, settings }: LayerOf): OpenLayer {
  const { space } = rootfs;
  if (space === undefined) return { rootfs, mount: undefined, close() {} };
  const open = disks.layers.open(space, settings.limits.disk ?? {});
  const { mountFd } = open;
  return {
    rootfs: { ...rootfs, ...within(open.path) },
    mount: mountFd === undefined ? undefined : { fd: mountFd, directory: space },
    close: () => open.close(),
  };
}

/** Runs `use` while the layer is open, and closes it afterwards. */
export async function withLayer<T>(
  context: DiskContext,
  record: LayerOf,
  use: (rootfs: ContainerView['rootfs']) => T | Promise<T>,
): Promise<T> {
  const layer = openLayer(context, record);
  try {
    return await use(layer.rootfs);
  } finally {
    layer.close();
  }
}

/**
 * Changes the disk limits of a layer, whether it is in use or not. `after` holds all limits. Throws
 * conflict for a layer without a space.
 */
export function updateLayer(
  { disks }: DiskContext,
  { rootfs, settings }: LayerOf,
  after: DiskLimits,
): void {
  const before = settings.limits.disk ?? {};
  if (rootfs.space !== undefined) disks.layers.update(rootfs.space, before, after);
  else refuseWithoutSpace(after);
}

/** Throws what `updateLayer` would throw, without changing anything. */
export function checkLayer(
  { disks }: DiskContext,
  { rootfs, settings }: LayerOf,
  after: DiskLimits,
): void {
  const before = settings.limits.disk ?? {};
  if (rootfs.space !== undefined) disks.layers.check(rootfs.space, before, after);
  else refuseWithoutSpace(after);
}

function refuseWithoutSpace(after: DiskLimits): void {
  if (isLimited(after))
    throw conflict(
      'this container was created without a disk limit, and its files lie on the state file system itself, which has no project quota: create it again with --storage-opt size=…, or start the agent with --default-disk so that every container can be given another limit later',
    );
}

/**
 * Reads the counters of the disk driver without walking the files. Returns undefined when there are
 * none.
 */
export function layerUsage(
  { disks }: DiskContext,
  { rootfs, settings }: LayerOf,
): SpaceUsage | undefined {
  if (rootfs.space === undefined) return undefined;
  return disks.layers.usage(rootfs.space, settings.limits.disk ?? {});
}
