import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PressureSample } from '../../contract/pressure.ts';
import { sample } from '../metrics/testdata/samples.ts';
import { type FullDisk, LimitEvents } from './limit-events.ts';

const told = (samples: PressureSample[]) => {
  const watch = new LimitEvents();
  return samples
    .flatMap((one) => watch.observe(one))
    .map(({ kind, count, atMs }) => `${atMs / 1000} ${kind} ${count}`);
};
const seconds = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);
const throttled = (share: number) => (second: number) =>
  sample(second, { cpu: { periods: 10, throttledPeriods: share * 10 } });

test('throttled above half for ten seconds: told once, and again only after ten without', () => {
  assert.deepEqual(told(seconds(1, 9).map(throttled(0.9))), []);
  assert.deepEqual(told(seconds(1, 60).map(throttled(0.9))), ['10 throttled 90']);
  assert.deepEqual(told(seconds(1, 60).map(throttled(0.5))), []);
  assert.deepEqual(
    told([
      ...seconds(1, 10).map(throttled(0.6)),
      ...seconds(11, 15).map(throttled(0)),
      ...seconds(16, 30).map(throttled(0.6)),
      ...seconds(31, 40).map(throttled(0)),
      ...seconds(41, 50).map(throttled(1)),
    ]),
    ['10 throttled 60', '50 throttled 100'],
  );
});

test('refused processes: one event an episode', () => {
  const refused = (second: number) =>
    sample(second, { pids: { current: 30, limit: 30, refusals: 5 } });
  assert.deepEqual(told([1, 2, 3, 29, 58, 90].map(refused)), ['1 pids-full 5', '90 pids-full 5']);
});

test('a full disk: told with whose end it is, once while it lasts, and again half a minute after', () => {
  const watch = new LimitEvents();
  const look = (second: number, full?: FullDisk) => watch.observe(sample(second), full);
  const data = { cause: 'limit', volume: 'data' } as const;
  assert.deepEqual(look(1, data), [{ atMs: 1000, kind: 'disk-full', count: 1, ...data }]);
  for (const second of seconds(2, 60)) assert.deepEqual(look(second, data), []);
  for (const second of seconds(61, 89)) assert.deepEqual(look(second), []);
  assert.deepEqual(look(90, { cause: 'machine' }), [
    { atMs: 90_000, kind: 'disk-full', count: 1, cause: 'machine' },
  ]);
});

test('the memory limit: need counts, cache that can go does not', () => {
  const hit = (usedBytes: number) => (second: number) =>
    sample(second, { memory: { usedBytes, swapBytes: 0, limitBytes: 100, limitHits: 3 } });
  assert.deepEqual(told([1, 2].map(hit(95))), ['1 memory-limit 3']);
  assert.deepEqual(told([1, 2].map(hit(50))), []);
  assert.deepEqual(told([sample(1, { memory: { usedBytes: 95, limitBytes: 100 } })]), []);
});
