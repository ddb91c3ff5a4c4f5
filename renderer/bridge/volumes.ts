import type { Volume, VolumeListResponse } from '../../agent/contract/docker.ts';
import type { Limits } from '../../agent/contract/limits.ts';
import type { DiskUsage } from './containers.ts';
import { getJson, postJson, query, remove } from './engine.ts';

export type { Volume };

export async function listVolumes(): Promise<Volume[]> {
  const { Volumes } = await getJson<VolumeListResponse>('/volumes');
  return Volumes ?? [];
}

export function createVolume(name: string | undefined, sizeBytes: number | undefined) {
  return postJson<Volume>('/volumes/create', {
    Name: name,
    ...(sizeBytes !== undefined && { DriverOpts: { size: String(sizeBytes) } }),
  });
}

export function removeVolume(name: string): Promise<void> {
  return remove(`/volumes/${encodeURIComponent(name)}`);
}

/** With `usedBytes` null where nothing is counted. */
export function getVolumeUsage(name: string): Promise<DiskUsage> {
  return getJson(`/corten/v1/volumes/${encodeURIComponent(name)}/disk`);
}

/** `null` takes the limit away. A dry run only asks. */
export function setVolumeSize(
  name: string,
  maxBytes: number | null,
  dryRun?: true,
): Promise<{ limits: Limits; warnings: string[] }> {
  const path = `/corten/v1/volumes/${encodeURIComponent(name)}/limits${query({ dryRun })}`;
  return postJson(path, { disk: { maxBytes } });
}
