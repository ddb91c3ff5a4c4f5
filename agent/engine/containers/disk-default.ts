/** The disk limit of a container whose creator named none (docs/decisions/0019). */
import { statfsSync } from 'node:fs';
import {
  type DiskLimits,
  type Limits,
  minDiskBytes,
  minDiskInodes,
} from '../../contract/limits.ts';
import type { EngineContext } from '../context.ts';
import { layersDirectory } from '../paths.ts';

const share = 7 / 8;

/** Keeps a limit that was asked for, and `null`, which asks for no limit. */
export function withDiskDefault(
  limits: Limits,
  context: Pick<EngineContext, 'disks' | 'defaultDisk' | 'paths'>,
): Limits {
  const { maxBytes: askedBytes, maxInodes: askedInodes } = limits.disk ?? {};
  if (askedBytes !== undefined) return limits;
  const { maxBytes, maxInodes } = diskDefault(context);
  if (maxBytes === undefined) return limits;
  const inodes = askedInodes === undefined ? maxInodes : askedInodes;
  return { ...limits, disk: { maxBytes, ...(inodes !== undefined && { maxInodes: inodes }) } };
}

function diskDefault({
  disks,
  defaultDisk,
  paths,
}: Pick<EngineContext, 'disks' | 'defaultDisk' | 'paths'>): DiskLimits {
  if (typeof defaultDisk === 'number') return { maxBytes: defaultDisk };
  if (defaultDisk === 'none' || !disks.layers.freeOfCost) return {};
  const { bavail, bsize, ffree } = statfsSync(layersDirectory(paths));
  const [maxBytes, maxInodes] = [Math.floor(bavail * bsize * share), Math.floor(ffree * share)];
  // On an almost full disk the default share is too small for any container to start.
  if (maxBytes < minDiskBytes) return {};
  if (disks.layers.bytesOnly) return { maxBytes };
  return maxInodes < minDiskInodes ? {} : { maxBytes, maxInodes };
}
