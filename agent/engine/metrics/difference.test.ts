import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingUsed, type Usage } from '../../contract/limits.ts';
import { countsNoHits, difference } from './difference.ts';

const reading = (atMs: number, change: Partial<Usage>) => ({
  atMs,
  usage: { ...nothingUsed, ...change },
});
const memory = (change: Partial<Usage['memory']>) => ({
  memory: { ...nothingUsed.memory, ...change },
});
const stall = (micros: number) => {
  const time = { someMicros: micros, fullMicros: 0 };
  return { cpu: time, memory: time, io: time };
};

test('counters become what happened between', () => {
  const before = reading(1000, {
    cpu: { ...nothingUsed.cpu, totalNanos: 1_000_000, periods: 3 },
    pids: { current: 2, limit: 9, refusals: 4 },
    stall: stall(100_000),
  });
  const after = reading(1500, {
    cpu: { ...nothingUsed.cpu, totalNanos: 3_000_000, periods: 8, throttledPeriods: 2 },
    pids: { current: 9, limit: 9, refusals: 11 },
    stall: stall(350_000),
  });
  const sample = difference(before, after, 2);
  assert.equal(sample?.intervalMs, 500);
  assert.deepEqual([sample?.cpu.usedMicros, sample?.cpu.periods], [2000, 5]);
  assert.deepEqual(sample?.pids, { current: 9, limit: 9, refusals: 7 });
  assert.equal(sample?.stall?.io.some, 0.5);
});

test('a counter that fell is another group’s, or one that is gone', () => {
  const cpu = { ...nothingUsed.cpu, totalNanos: 5 };
  assert.equal(difference(reading(0, { cpu }), reading(1000, {}), 2), undefined);
});

test('a count of kills that falls is none, and not another group', () => {
  const kills = (before: number, after: number) =>
    difference(
      reading(0, memory({ oomKills: before })),
      reading(1000, memory({ oomKills: after })),
      2,
    )?.oomKills;
  assert.deepEqual([kills(2, 3), kills(3, 2)], [1, 0]);
});

test('hits of the memory limit: counted by the kernel, or seconds at the limit where it does not', () => {
  const hits = (before: Partial<Usage['memory']>, after: Partial<Usage['memory']>) =>
    difference(reading(0, memory(before)), reading(1000, memory(after)), 1)?.memory.limitHits;
  const MiB = 1024 ** 2;
  assert.equal(hits({ failures: 2 }, { failures: 7 }), 5);
  const atLimit = { limitBytes: 64 * MiB, usageBytes: 64 * MiB - 4096 };
  assert.equal(hits({ failures: 7 }, { failures: 7, ...atLimit }), 0);
  assert.equal(hits({}, atLimit), 1);
  assert.equal(hits({}, { limitBytes: 64 * MiB, usageBytes: 60 * MiB }), 0);
  assert.equal(countsNoHits({ ...nothingUsed, ...memory(atLimit) }, 1), true);
  assert.equal(countsNoHits({ ...nothingUsed, ...memory(atLimit) }, 2), false);
  assert.equal(countsNoHits({ ...nothingUsed, ...memory({ ...atLimit, failures: 1 }) }, 1), false);
});
