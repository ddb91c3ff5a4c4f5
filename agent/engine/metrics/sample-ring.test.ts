import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourSeconds, SampleRing } from './sample-ring.ts';
import { sample } from './testdata/samples.ts';

const full = sample(1_700_000_000, {
  cpu: { usedMicros: 900_001, throttledMicros: 70_000, periods: 10, throttledPeriods: 9 },
  memory: { usedBytes: 3 * 2 ** 40, swapBytes: 4096, limitBytes: 2 ** 30, limitHits: 7 },
  pids: { current: 4_000_000, limit: 30, refusals: 65_535 },
  io: { readBytes: 1024, writtenBytes: 2048, readOperations: 3, writeOperations: 4 },
  oomKills: 2,
  diskFull: true,
});

test('a row comes out as it went in, with and without pressure and limits', () => {
  const plain = new SampleRing({ stall: false });
  plain.push(full);
  assert.deepEqual(plain.latest(), full);
  const unlimited = sample(5);
  plain.push(unlimited);
  assert.deepEqual(plain.latest(), unlimited);
  const stall = {
    cpu: { some: 0.5, full: 0.25 },
    memory: { some: 1, full: 1 },
    io: { some: 0.0001, full: 0 },
  };
  const unified = new SampleRing({ stall: true });
  unified.push({ ...full, stall });
  assert.deepEqual(unified.latest(), { ...full, stall });
});

test('what is too large stops at the largest, and takes no neighbour with it', () => {
  const ring = new SampleRing({ stall: false });
  const refusals = { current: 1, limit: null, refusals: 1e9 };
  ring.push(sample(1, { pids: refusals, cpu: { usedMicros: 1e12 } }));
  const row = ring.latest();
  assert.equal(row?.pids.refusals, 65_535);
  assert.equal(row?.memory.limitHits, 0);
  assert.ok((row?.cpu.usedMicros ?? 0) > 4e9);
});

test('the oldest goes for the newest, and sums follow', () => {
  const ring = new SampleRing({ stall: false, capacity: 3 });
  for (let second = 1; second <= 5; second++)
    ring.push(
      sample(second, {
        oomKills: second,
        cpu: { throttledMicros: 500_000 },
        diskFull: second % 2 === 0,
      }),
    );
  assert.deepEqual(
    [0, 1, 2].map((index) => ring.at(index).atMs),
    [3000, 4000, 5000],
  );
  assert.equal(ring.length, 3);
  const { oomKills, observedSeconds, throttledSeconds, diskFullSeconds } = ring.sums();
  assert.deepEqual([oomKills, observedSeconds, throttledSeconds, diskFullSeconds], [12, 3, 1.5, 1]);
});

test('an hour is kept and no more, also of one that was stopped meanwhile', () => {
  const ring = new SampleRing({ stall: false });
  for (const second of [1, 2, 3]) ring.push(sample(second, { oomKills: 1 }));
  ring.expire(3_602_000);
  assert.equal(ring.length, 1);
  assert.equal(ring.sums().oomKills, 1);
  ring.expire(4_000_000);
  assert.equal(ring.latest(), undefined);
  assert.equal(ring.sums().observedSeconds, 0);
});

test('an hour of one container takes 216,000 bytes, or 259,200 with pressure', () => {
  assert.equal(new SampleRing({ stall: false }).byteLength, 60 * hourSeconds);
  assert.equal(new SampleRing({ stall: true }).byteLength, 72 * hourSeconds);
});
