import assert from 'node:assert/strict';
import { test } from 'node:test';
import { historyColumns, stallColumns, stepsUntil } from './history.ts';
import { sample } from './testdata/samples.ts';

test('steps lie on whole multiples and cover what was asked for', () => {
  assert.deepEqual(stepsUntil(3_605_500, 3600, 10), {
    fromMs: 10_000,
    stepSeconds: 10,
    count: 360,
  });
  assert.deepEqual(stepsUntil(1000, 1, 1), { fromMs: 1000, stepSeconds: 1, count: 1 });
  assert.equal(stepsUntil(0, 25, 10).count, 3);
});

test('a step has means of rates, peaks of levels and sums of counts; a gap is null', () => {
  const steps = { fromMs: 10_000, stepSeconds: 2, count: 3 };
  const columns = historyColumns(
    [
      sample(9, { oomKills: 9 }),
      sample(10, {
        cpu: { usedMicros: 100_000, periods: 10, throttledPeriods: 10 },
        memory: { usedBytes: 100, limitBytes: 500, limitHits: 1 },
        io: { readBytes: 6 },
        oomKills: 1,
      }),
      sample(11, {
        cpu: { usedMicros: 300_000, periods: 10 },
        memory: { usedBytes: 50, limitBytes: 600, limitHits: 1 },
        oomKills: 1,
      }),
      sample(14, { pids: { current: 7, limit: 9 } }),
      sample(16, { oomKills: 9 }),
    ],
    steps,
  );
  const { cpus, cpusPeak, throttledShare, memoryBytes, memoryLimitBytes, oomKills } = columns;
  assert.deepEqual(cpus, [0.2, null, 0]);
  assert.deepEqual(cpusPeak, [0.3, null, 0]);
  assert.deepEqual(throttledShare, [0.5, null, 0]);
  assert.deepEqual(memoryBytes, [100, null, 0]);
  assert.deepEqual(memoryLimitBytes, [600, null, null]);
  assert.deepEqual(oomKills, [2, null, 0]);
  assert.deepEqual(columns.memoryLimitHits, [2, null, 0]);
  assert.deepEqual(columns.readBytesPerSecond, [3, null, 0]);
  assert.deepEqual(
    [columns.pids, columns.pidsLimit],
    [
      [1, null, 7],
      [null, null, 9],
    ],
  );
  assert.deepEqual(columns.observedSeconds, [2, null, 1]);
});

test('pressure: shares of time where there are any, and null where there are none', () => {
  const steps = { fromMs: 0, stepSeconds: 2, count: 2 };
  const share = { some: 0.5, full: 0 };
  const none = { some: 0, full: 0 };
  const stall = { cpu: share, memory: none, io: none };
  assert.equal(stallColumns([sample(1)], steps), null);
  assert.deepEqual(stallColumns([sample(0), { ...sample(1), stall }], steps), {
    cpu: [0.5, null],
    memory: [0, null],
    io: [0, null],
  });
});
