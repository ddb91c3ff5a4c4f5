import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { BuildCache } from './build-cache.ts';
import { CacheLimit } from './cache-limit.ts';
import { prune } from './prune.ts';
import type { Snapshot } from './snapshot.ts';
import { usageOf } from './usage.ts';

let directory: string;
let cache: BuildCache;
let kept: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'corten-prune-'));
  await open();
});
afterEach(() => {
  cache.close();
  rmSync(directory, { recursive: true });
});

async function open(): Promise<void> {
  cache = await BuildCache.open(directory, {
    keep: async (_, digests) => {
      kept = [...digests];
    },
    layerDirectory: () => undefined,
    sweep: async () => {},
    layerSizes: () => new Map<string, number>(),
  });
}

const mebibyte = 1024 ** 2;

/** A result with one layer of this many MiB on top of `parent`, last used so many hours ago. */
async function add(name: string, mebibytes: number, hoursAgo: number, parent?: Snapshot) {
  const snapshot = await cache.snapshots.begin(parent ?? { layers: [] });
  writeFileSync(join(snapshot.upper, name), Buffer.alloc(mebibytes * mebibyte, 1));
  const tree = await snapshot.commit();
  const { id } = cache.results.add([name], [tree], {
    description: name,
    kind: 'regular',
    portableKey: name,
  });
  cache.database
    .prepare('UPDATE results SET used_at = ? WHERE id = ?')
    .run(Date.now() - hoursAgo * 3_600_000, id);
  return { tree, directory: tree.layers.at(-1)?.directory ?? '' };
}

const names = async () => (await usageOf(cache)).map(({ description }) => description).sort();

test('a layer counts once, for the result that made it', async () => {
  const { tree } = await add('first', 2, 1);
  await add('second', 1, 1, tree);
  const sizes = (await usageOf(cache)).map(({ sizeBytes }) => Math.round(sizeBytes / mebibyte));
  assert.deepEqual(sizes, [2, 1]);
});

test('everything goes, files too, but for what a build uses', async () => {
  const used = await add('used', 1, 5);
  const unused = await add('unused', 1, 1);
  const release = cache.snapshots.hold(used.tree);
  const { reclaimedBytes } = await prune(cache, { all: true, keepBytes: 0, filters: {} });
  assert.equal(Math.round(reclaimedBytes / mebibyte), 1);
  assert.deepEqual([existsSync(used.directory), existsSync(unused.directory)], [true, false]);
  release();
  await prune(cache, { all: true, keepBytes: 0, filters: {} });
  assert.equal(existsSync(used.directory), false);
  assert.deepEqual(kept, []);
});

test('up to a size the longest unused goes first', async () => {
  for (const [name, hours] of [
    ['oldest', 3],
    ['older', 2],
    ['new', 1],
  ] as const)
    await add(name, 2, hours);
  await prune(cache, { all: true, keepBytes: 5 * mebibyte, filters: {} });
  assert.deepEqual(await names(), ['new', 'older']);
});

test('a layer stays as long as another result lies on it', async () => {
  const base = await add('base', 1, 9);
  await add('top', 1, 1, base.tree);
  await prune(cache, { all: true, keepBytes: 0, filters: { until: ['8h'] } });
  assert.deepEqual(await names(), ['top']);
  assert.ok(existsSync(base.directory));
});

test('a filter that is unknown is refused, and nothing goes', async () => {
  await add('kept', 1, 1);
  await assert.rejects(prune(cache, { all: true, keepBytes: 0, filters: { colour: ['red'] } }), {
    kind: 'invalid',
    message: /colour/,
  });
  await assert.rejects(prune(cache, { all: true, keepBytes: 0, filters: { until: ['soon'] } }), {
    kind: 'invalid',
  });
  assert.deepEqual(await names(), ['kept']);
});

test('cache mounts of one id are shared, or one after the other, or apart', async () => {
  const { signal } = new AbortController();
  const first = await cache.snapshots.cacheMount('npm', 'shared', signal);
  const second = await cache.snapshots.cacheMount('npm', 'shared', signal);
  assert.equal(first.directory, second.directory);
  const apart = await cache.snapshots.cacheMount('npm', 'private', signal);
  assert.notEqual(apart.directory, first.directory);
  apart.release();
  const waiting = cache.snapshots.cacheMount('npm', 'locked', signal);
  first.release();
  second.release();
  const locked = await waiting;
  const abort = new AbortController();
  const impatient = cache.snapshots.cacheMount('npm', 'locked', abort.signal);
  // The private one is free, so nobody has to wait for the locked one.
  const other = await impatient;
  assert.notEqual(other.directory, locked.directory);
  const third = cache.snapshots.cacheMount('npm', 'locked', abort.signal);
  abort.abort(new Error('no patience'));
  await assert.rejects(third, /no patience/);
  locked.release();
  other.release();
});

test("the limit is the disk's tenth until it is set, and what is set outlives a restart", async () => {
  assert.ok(new CacheLimit(cache, directory).bytes >= 2 * 1024 ** 3);
  assert.throws(() => new CacheLimit(cache, directory).set(5), { kind: 'invalid' });
  new CacheLimit(cache, directory).set(100 * mebibyte);
  cache.close();
  await open();
  const limit = new CacheLimit(cache, directory);
  assert.equal(limit.bytes, 100 * mebibyte);
  for (const hours of [1, 2, 3]) await add(`part-${hours}`, 40, hours);
  await limit.enforce();
  assert.deepEqual(await names(), ['part-1', 'part-2']);
});
