import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Box, inset, treemap } from './treemap.ts';

const area: Box = { x: 10, y: 20, width: 600, height: 400 };
const sizeOf = ({ width, height }: Box) => width * height;

test('areas are in proportion, fill the whole, and lie inside it', () => {
  const weights = [6, 6, 4, 3, 2, 2, 1, 0.01];
  const boxes = treemap(weights, area);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, box] of boxes.entries()) {
    const share = (weights[index] ?? 0) / total;
    assert.ok(Math.abs(sizeOf(box) - share * sizeOf(area)) < 1e-6, `${index}`);
    assert.ok(box.x >= area.x - 1e-6 && box.y >= area.y - 1e-6);
    assert.ok(box.x + box.width <= area.x + area.width + 1e-6);
    assert.ok(box.y + box.height <= area.y + area.height + 1e-6);
  }
});

test('no two overlap', () => {
  const boxes = treemap(
    Array.from({ length: 60 }, (_, index) => 1 + (index % 7)),
    area,
  );
  for (const [at, a] of boxes.entries())
    for (const b of boxes.slice(at + 1)) {
      const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
      const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
      assert.ok(width < 1e-6 || height < 1e-6);
    }
});

test('equal weights make boxes that are near to squares', () => {
  for (const { width, height } of treemap(Array(24).fill(1), area))
    assert.ok(Math.max(width / height, height / width) < 2);
});

test('the order of the weights is the order of the boxes', () => {
  const [small, large] = treemap([1, 9], area);
  assert.ok(sizeOf(small!) < sizeOf(large!));
});

test('nothing, one, and no room', () => {
  assert.deepEqual(treemap([], area), []);
  assert.deepEqual(treemap([3], area), [area]);
  for (const box of treemap([1, 2], { ...area, width: 0 })) assert.equal(sizeOf(box), 0);
});

test('a margin never turns a box inside out', () => {
  assert.deepEqual(inset({ x: 0, y: 0, width: 100, height: 50 }, 4, 20), {
    ...{ x: 4, y: 20, width: 92, height: 26 },
  });
  assert.deepEqual(inset({ x: 0, y: 0, width: 3, height: 3 }, 4), {
    ...{ x: 4, y: 4, width: 0, height: 0 },
  });
});
