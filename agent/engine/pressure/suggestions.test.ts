import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import type { PressureSample } from '../../contract/pressure.ts';
import { sample } from '../metrics/testdata/samples.ts';
import { neededSeconds, percentile, suggestLimits } from './suggestions.ts';

const MiB = 1024 ** 2;
const machine = { cpus: 4, memoryBytes: 8192 * MiB };
const suggest = (samples: PressureSample[], limits: Limits = {}) =>
  suggestLimits('id', samples, limits, machine);
const many = (count: number, change: (second: number) => Parameters<typeof sample>[1]) =>
  Array.from({ length: count }, (_, second) => sample(second, change(second)));

test('percentiles by the nearest rank', () => {
  const values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  assert.deepEqual(
    [0, 0.1, 0.5, 0.95, 1].map((share) => percentile(values, share)),
    [1, 1, 5, 10, 10],
  );
  assert.equal(percentile([7], 0.95), 7);
  assert.equal(percentile([], 0.95), 0);
});

test('enough seen: CPU by its p95, memory and processes by their peak, with headroom', () => {
  const samples = many(1000, (second) => ({
    // One second in a hundred works hard.
    cpu: { usedMicros: second % 100 === 0 ? 2_000_000 : 400_000 },
    memory: { usedBytes: (second === 500 ? 100 : 60) * MiB },
    pids: { current: second === 7 ? 40 : 10 },
  }));
  const { cpu, memory, pids, observedSeconds } = suggest(samples);
  assert.equal(observedSeconds, 1000);
  assert.deepEqual(cpu, {
    limits: { quotaMicros: 50_000, periodMicros: 100_000 },
    reason: 'use',
    peak: 2,
    p95: 0.4,
    limit: null,
    headroomShare: 0.25,
    limitedSeconds: 0,
  });
  assert.deepEqual(
    [memory.limits, memory.peak, memory.p95],
    [{ maxBytes: 128 * MiB }, 100 * MiB, 60 * MiB],
  );
  assert.deepEqual([pids.limits, pids.peak], [60, 40]);
});

test('too little seen: nothing, and it says so', () => {
  for (const samples of [[], many(neededSeconds - 1, () => ({}))]) {
    const { cpu, memory, pids } = suggest(samples);
    for (const one of [cpu, memory, pids])
      assert.deepEqual([one.limits, one.reason], [null, 'too-little-seen']);
  }
  assert.equal(suggest(many(neededSeconds, () => ({}))).pids.reason, 'use');
});

test('a limit that was in the way is raised, however little was seen', () => {
  const limits = {
    cpu: { quotaMicros: 50_000, periodMicros: 100_000 },
    memory: { maxBytes: 64 * MiB },
    pids: 30,
  };
  const samples = many(20, (second) => ({
    cpu: { usedMicros: 500_000, periods: 10, throttledPeriods: second < 12 ? 9 : 0 },
    memory: { usedBytes: 10 * MiB },
    pids: { current: 30, refusals: second === 0 ? 3 : 0 },
    oomKills: second === 3 ? 1 : 0,
  }));
  const { cpu, memory, pids } = suggest(samples, limits);
  assert.deepEqual(
    [cpu.reason, cpu.limits?.quotaMicros, cpu.limitedSeconds],
    ['limit-reached', 75_000, 12],
  );
  assert.deepEqual([memory.reason, memory.limits?.maxBytes], ['limit-reached', 96 * MiB]);
  assert.deepEqual([pids.reason, pids.limits], ['limit-reached', 60]);
  // A few throttled seconds may be a start; ten are not.
  const brief = samples.slice(0, 9);
  assert.equal(suggest(brief, limits).cpu.reason, 'too-little-seen');
});

test('what is set stays when it is close, and the machine is the end', () => {
  const samples = many(400, () => ({
    cpu: { usedMicros: 4_000_000, periods: 10, throttledPeriods: 10 },
    memory: { usedBytes: 100 * MiB },
  }));
  const close = { memory: { maxBytes: 120 * MiB }, cpu: { quotaMicros: 400_000 } };
  const { cpu, memory } = suggest(samples, close);
  assert.deepEqual([memory.reason, memory.limits], ['fits', null]);
  assert.deepEqual([cpu.reason, cpu.limits], ['machine-full', null]);
  assert.equal(suggest(samples, { memory: { maxBytes: 512 * MiB } }).memory.reason, 'use');
});

test('page cache that fills a limit is no need of more', () => {
  const cached = many(20, () => ({
    memory: { usedBytes: 10 * MiB, limitBytes: 64 * MiB, limitHits: 50 },
  }));
  const { memory } = suggest(cached, { memory: { maxBytes: 64 * MiB } });
  assert.equal(memory.reason, 'too-little-seen');
});
