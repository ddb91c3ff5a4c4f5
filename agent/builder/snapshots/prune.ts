/** What gives way: the results that were used the longest ago, then the layers that no result needs any more. */
import type { CacheRecord, PruneRequest } from '../../api/build/backend.ts';
import { invalid } from '../../errors.ts';
import type { BuildCache } from './build-cache.ts';
import { usageOf } from './usage.ts';

export async function prune(
  cache: BuildCache,
  { all, keepBytes, filters }: PruneRequest,
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const records = (await usageOf(cache)).sort(byUse);
  let bytes = records.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  const matches = matcher(filters);
  for (const record of records) {
    if (keepBytes > 0 && bytes <= keepBytes) break;
    // What an image shares costs no space of its own; without `all` it stays for the next build.
    if (record.inUse || (!all && record.shared) || !matches(record)) continue;
    if (record.type === 'exec.cachemount') await cache.snapshots.mounts.remove(record.id);
    else cache.results.remove(record.id);
    bytes -= record.sizeBytes;
    reclaimedBytes += record.sizeBytes;
    deleted.push(record.id);
  }
  await cache.snapshots.removeUnused(usedLayers(cache));
  if (all && keepBytes === 0) forgetImages(cache);
  await cache.keep();
  await cache.images.sweep();
  return { deleted, reclaimedBytes };
}

function usedLayers(cache: BuildCache): Set<string> {
  return new Set(
    cache.results.rows().flatMap(({ outputs }) => outputs.flatMap((ids) => ids ?? [])),
  );
}

/** Base images that no result is based on any more. */
function forgetImages(cache: BuildCache): void {
  const used = usedLayers(cache);
  for (const { digest, layers } of cache.keptImages())
    if (!layers.some((id) => used.has(id) || cache.snapshots.isHeld(id)))
      cache.database.prepare('DELETE FROM images WHERE digest = ?').run(digest);
}

const byUse = (one: CacheRecord, other: CacheRecord) =>
  (one.lastUsedAt?.getTime() ?? 0) - (other.lastUsedAt?.getTime() ?? 0);

/** Docker's filters of `docker builder prune`. Throws invalid for one that is unknown. */
function matcher(filters: Record<string, string[]>): (record: CacheRecord) => boolean {
  const tests = Object.entries(filters).map(([name, values]) => {
    const test = filterTests[name];
    if (test === undefined)
      throw invalid(
        `invalid filter '${name}': the build cache knows ${Object.keys(filterTests).join(', ')}`,
      );
    return (record: CacheRecord) => values.some((value) => test(record, value));
  });
  return (record) => tests.every((test) => test(record));
}

const filterTests: Record<string, (record: CacheRecord, value: string) => boolean> = {
  id: (record, value) => record.id.startsWith(value),
  parents: (record, value) => record.parents.includes(value),
  type: (record, value) => record.type === value,
  description: (record, value) => record.description.includes(value),
  inuse: (record, value) => record.inUse === isTrue(value),
  shared: (record, value) => record.shared === isTrue(value),
  private: (record, value) => record.shared !== isTrue(value),
  until: (record, value) => (record.lastUsedAt ?? record.createdAt).getTime() < timeOf(value),
  'unused-for': (record, value) =>
    (record.lastUsedAt ?? record.createdAt).getTime() < timeOf(value),
};

const isTrue = (value: string) => value === '' || value === 'true' || value === '1';

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A time before now (`24h`, `1h30m`), seconds since 1970, or a date. Throws invalid. */
function timeOf(value: string): number {
  if (/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value)) {
    const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
    return (
      Date.now() - parts.reduce((sum, [, n, unit = '']) => sum + Number(n) * (unitMs[unit] ?? 0), 0)
    );
  }
  const time = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value);
  if (Number.isNaN(time))
    throw invalid(
      `"${value}" is no duration such as 24h, and no time such as 2026-01-31T12:00:00Z`,
    );
  return time;
}
