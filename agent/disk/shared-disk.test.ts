import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowedBytes, blocksToReserve } from './shared-disk.ts';

const gib = 1024 ** 3;

test('an eighth of all that layers could have stays, however much of it they have by now', () => {
  assert.equal(allowedBytes({ free: 16 * gib, taken: 0, written: 0 }), 14 * gib);
  assert.equal(allowedBytes({ free: 9 * gib, taken: 7 * gib, written: 7 * gib }), 7 * gib);
  assert.equal(allowedBytes({ free: 2 * gib, taken: 14 * gib, written: 14 * gib }), 0);
  assert.equal(allowedBytes({ free: gib, taken: 14 * gib, written: 14 * gib }), 0);
});

test('what the kernel has still to write counts, and what it has still to give back', () => {
  assert.equal(allowedBytes({ free: 16 * gib, taken: 0, written: 5 * gib }), 9 * gib);
  assert.equal(allowedBytes({ free: 11 * gib, taken: 5 * gib, written: 0 }), 9 * gib);
});

test('the floor of a large disk is 8 GiB', () => {
  assert.equal(allowedBytes({ free: 500 * gib, taken: 0, written: 0 }), 492 * gib);
});

test('all free blocks but those that may be taken are kept back, and what ext4 needs at least', () => {
  const shared = { blocks: 1_000_000, bfree: 800_000 };
  assert.equal(blocksToReserve(shared, 4096 * 300_000), 500_000);
  assert.equal(blocksToReserve(shared, 0), 800_000);
  assert.equal(blocksToReserve(shared, 4096 * 900_000), 4096);
  assert.equal(blocksToReserve(shared, undefined), 4096);
});
