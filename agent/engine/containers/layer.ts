/**
 * A container's writable layer: two directories on the state file system, or in a space that limits
 * them (agent/disk). Whoever reads or mounts it from outside opens it first.
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

/** Undefined when the layer needs no space of its own. */
export async function prepareLayer(
  { disks }: DiskContext,
  limits: DiskLimits,
): Promise<MakeSpace | undefined> {
  return isLimited(limits) || disks.layers.freeOfCost
    ? disks.layers.prepare(limits, layerDirectories)
    : undefined;
}

/** Before the first container asks: a default that this machine cannot give is told at the start. */
export async function prepareDefaultLayer({
  disks,
  defaultDisk,
}: Pick<EngineContext, 'disks' | 'defaultDisk'>): Promise<void> {
  if (typeof defaultDisk === 'number')
    await disks.layers.prepare({ maxBytes: defaultDisk }, layerDirectories);
}

export const isLimited = ({ maxBytes, maxInodes }: DiskLimits) =>
  (maxBytes ?? maxInodes ?? null) !== null;

/** Makes the layer in its space, or in a directory among those of all others, and says where it is. */
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

/** Where a new layer has its space, if it has one. */
export const newSpace = ({ disks }: DiskContext, { disk, layerDisk }: ContainerPaths) =>
  disks.layers.amongLayers ? layerDisk : disk;

const within = (place: string) => ({ upper: join(place, 'upper'), work: join(place, 'work') });

export interface OpenLayer {
  /** As this process reaches it, until it is closed. */
  rootfs: ContainerView['rootfs'];
  /** What a start has to put under the container's root first. */
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

/** Runs `use` with the layer within reach and closes it whatever happens. */
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

/** Changes the limits of a layer, in use or not; `after` is all of them. */
export function updateLayer(
  { disks }: DiskContext,
  { rootfs, settings }: LayerOf,
  after: DiskLimits,
): void {
  const before = settings.limits.disk ?? {};
  if (rootfs.space !== undefined) disks.layers.update(rootfs.space, before, after);
  else refuseWithoutSpace(after);
}

/** Throws what `updateLayer` would, and changes nothing. */
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
      'this container was made without a disk limit, and its files lie on the state file system itself, which has no project quota: make it anew with --storage-opt size=…, or start the agent with --default-disk so that every container can be given another limit later',
    );
}

/** Cheap: nothing is walked. Undefined when nobody counts. */
export function layerUsage(
  { disks }: DiskContext,
  { rootfs, settings }: LayerOf,
): SpaceUsage | undefined {
  if (rootfs.space === undefined) return undefined;
  return disks.layers.usage(rootfs.space, settings.limits.disk ?? {});
}
