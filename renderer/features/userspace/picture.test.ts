import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Owner } from '../../stores/processes.ts';
import { arrange, weights } from './picture.ts';

function owner(key: string, memoryBytes: number, processes: number, count = processes): Owner {
  return {
    key,
    container: key === 'machine' ? undefined : { id: key, name: key, limits: {} },
    ...{ cpus: 0, memoryBytes, processCount: count },
    processes: Array.from({ length: processes }, (_, index) => ({
      ...{ pid: index + 1, parentPid: 0, name: 'sh', cpus: 0, memoryBytes: 10 },
    })),
  };
}
const owners = [owner('machine', 900, 4), owner('a', 90, 2), owner('b', 10, 1)];
const sizeOf = ({ width, height }: { width: number; height: number }) => width * height;

test('boxed: a box for each owner by its share, and every tile in the box of its own', () => {
  const { boxes, tiles } = arrange(owners, 'memoryBytes', 'boxed', 800, 600);
  assert.deepEqual(
    boxes.map(({ owner: { key } }) => key),
    ['machine', 'a', 'b'],
  );
  const [machine, a, b] = boxes.map(({ box }) => sizeOf(box));
  assert.ok(machine! > a! && a! > b! && b! > 0);
  assert.equal(tiles.length, 7);
  for (const { key, box } of tiles) {
    const home = boxes.find((one) => key.startsWith(`${one.owner.key} `))?.box;
    assert.ok(home && box.x >= home.x && box.x + box.width <= home.x + home.width, key);
    assert.ok(box.y > home.y && box.y + box.height <= home.y + home.height, key);
  }
});

test('shared: the same tiles with the same keys, and no box', () => {
  const boxed = arrange(owners, 'memoryBytes', 'boxed', 800, 600);
  const shared = arrange(owners, 'memoryBytes', 'shared', 800, 600);
  assert.deepEqual(shared.boxes, []);
  assert.deepEqual(
    shared.tiles.map(({ key }) => key),
    boxed.tiles.map(({ key }) => key),
  );
});

test('what uses nothing still has a place; with nothing used all are alike', () => {
  const { boxes } = arrange(owners, 'cpus', 'boxed', 800, 600);
  for (const { box } of boxes) assert.ok(sizeOf(box) > (800 * 600) / 4);
  assert.ok(weights([1, 0], 0.3)[1]! > 0.1);
  assert.deepEqual(weights([], 0.3), []);
});

test('very many processes are drawn in part, and the rest counted', () => {
  const { tiles } = arrange([owner('a', 1, 400, 5000)], 'memoryBytes', 'boxed', 800, 600);
  assert.equal(tiles.length, 121);
  const last = tiles.at(-1);
  assert.deepEqual([last?.process, last?.count], [undefined, 5000 - 120]);
});
