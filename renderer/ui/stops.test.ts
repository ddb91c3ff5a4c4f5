import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  boundStops,
  byteStops,
  cpuStops,
  inodeStops,
  pidStops,
  shareStops,
  spaceStops,
} from './stops.ts';

test('stops ascend and end at what the machine has', () => {
  const all = [cpuStops(2), cpuStops(64), byteStops(24 * 1024 ** 3), pidStops, shareStops];
  all.push(spaceStops, inodeStops);
  for (const stops of all)
    for (let at = 1; at < stops.length; at++) assert.ok(stops[at]! > stops[at - 1]!);
  assert.equal(cpuStops(2).at(-1), 2);
  assert.equal(cpuStops(2)[0], 0.1);
  assert.equal(byteStops(24 * 1024 ** 3).at(-1), 24 * 1024 ** 3);
  assert.ok(byteStops(24 * 1024 ** 3).includes(64 * 1024 ** 2));
});

test('stops between bounds begin and end at them, and ascend in whole steps', () => {
  const GiB = 1024 ** 3;
  assert.deepEqual(boundStops({ min: 1, max: 4, step: 1 }), [1, 2, 3, 4]);
  assert.deepEqual(boundStops({ min: 2, max: 2, step: 1 }), [2]);
  const stops = boundStops({ min: 64 * GiB, max: 2048 * GiB, step: GiB });
  assert.equal(stops[0], 64 * GiB);
  assert.equal(stops.at(-1), 2048 * GiB);
  assert.ok(stops.includes(80 * GiB));
  for (let at = 1; at < stops.length; at++) {
    assert.ok(stops[at]! > stops[at - 1]!);
    assert.equal(stops[at]! % GiB, 0);
  }
});
