import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { IdleQueue } from '../idle-queue.ts';
import {
  containerPaths,
  containersDirectory,
  layersDirectory,
  pooledDirectoryPath,
} from '../paths.ts';
import { newContainerDirectoryPool, newLayerDirectoryPool } from './directory-pool.ts';

function bench(test: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'corten-next-'));
  test.after(() => rmSync(root, { recursive: true, force: true }));
  const paths = { root, run: join(root, 'run') };
  mkdirSync(containersDirectory(paths));
  mkdirSync(layersDirectory(paths));
  const reports: string[] = [];
  const idleQueue = new IdleQueue({ report: (what) => reports.push(what) });
  const place = (id: string) => containerPaths(paths, id).directory;
  return { paths, idleQueue, reports, place };
}

function look(directory: string): string[] {
  return ['.', ...readdirSync(directory).toSorted()].map(
    (name) => `${name} ${(statSync(join(directory, name)).mode & 0o7777).toString(8)}`,
  );
}

test('it is moved once, and the next one is made in spare time', async (t) => {
  const { paths, idleQueue, place } = bench(t);
  const next = newContainerDirectoryPool(paths, idleQueue);
  assert.equal(next.takeAs(place('early')), false);
  await idleQueue.close();
  assert.equal(next.takeAs(place('one')), true);
  assert.equal(next.takeAs(place('two')), false);
  assert.ok(!existsSync(place('two')));
  await idleQueue.close();
  assert.equal(next.takeAs(place('two')), true);
});

test('it has what a container has, for nobody else to look into', async (t) => {
  const { paths, idleQueue, place } = bench(t);
  const next = newContainerDirectoryPool(paths, idleQueue);
  const layerDirectoryPool = newLayerDirectoryPool(paths, idleQueue);
  await idleQueue.close();
  assert.ok(next.takeAs(place('one')));
  assert.deepEqual(look(place('one')), ['. 700', 'files 700', 'log 700']);
  const { layer } = containerPaths(paths, 'one');
  assert.ok(layerDirectoryPool.takeAs(layer));
  assert.deepEqual(look(layer), ['. 700', 'upper 755', 'work 700']);
  const files = join(place('one'), 'files');
  assert.deepEqual(look(files), ['. 700', 'hostname 644', 'hosts 644', 'resolv.conf 644']);
  for (const name of readdirSync(files)) assert.equal(readFileSync(join(files, name), 'utf8'), '');
});

test('what an agent before left half made is made anew', async (t) => {
  const { paths, idleQueue, place } = bench(t);
  mkdirSync(join(pooledDirectoryPath(paths), 'log', 'foreign'), { recursive: true });
  const next = newContainerDirectoryPool(paths, idleQueue);
  await idleQueue.close();
  assert.ok(next.takeAs(place('one')));
  assert.deepEqual(readdirSync(join(place('one'), 'log')), []);
});

test('one that was removed by hand, or cannot be made, is none', async (t) => {
  const { paths, idleQueue, place, reports } = bench(t);
  const next = newContainerDirectoryPool(paths, idleQueue);
  await idleQueue.close();
  rmSync(pooledDirectoryPath(paths), { recursive: true });
  assert.equal(next.takeAs(place('one')), false);
  const { root } = paths;
  rmSync(root, { recursive: true });
  await idleQueue.close();
  assert.equal(next.takeAs(place('one')), false);
  mkdirSync(containersDirectory(paths), { recursive: true });
  await idleQueue.close();
  assert.equal(next.takeAs(place('one')), true);
  assert.deepEqual(reports, []);
});
