/** The rows of `docker buildx du` and of `docker system df`. */
import type { CacheRecord } from '../../api/build/backend.ts';
import type { BuildCache } from './build-cache.ts';
import { bytesBelow } from './directory-bytes.ts';

export async function usageOf(cache: BuildCache): Promise<CacheRecord[]> {
  const records: CacheRecord[] = [];
  const counted = new Set<string>();
  for (const row of cache.results.rows()) {
    const layers = row.outputs.flatMap((ids) => ids ?? []);
    // A layer belongs to the result that made it, which is the first that has it.
    const own = layers.filter((id) => !counted.has(id));
    for (const id of own) counted.add(id);
    const sizes = await Promise.all(own.map((id) => cache.layerBytes(id)));
    records.push({
      id: row.id,
      parents: [],
      type: row.kind as CacheRecord['type'],
      description: row.description,
      inUse: layers.some((id) => cache.snapshots.isHeld(id)),
      shared: layers.some((id) => cache.snapshots.layer(id)?.diffId !== undefined),
      sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
      createdAt: new Date(row.createdAtMs),
      lastUsedAt: new Date(row.usedAtMs),
      usageCount: row.uses,
    });
  }
  for (const row of cache.snapshots.mounts.rows())
    records.push({
      id: row.directory,
      parents: [],
      type: 'exec.cachemount',
      description: `cached mount ${row.id}`,
      inUse: cache.snapshots.mounts.isUsed(row.directory),
      shared: false,
      sizeBytes: await bytesBelow(cache.snapshots.mounts.pathOf(row.directory)),
      createdAt: new Date(row.createdAtMs),
      lastUsedAt: new Date(row.usedAtMs),
      usageCount: row.uses,
    });
  return records;
}
