import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import { mergedLimits, revertingChange, withFittingBurst } from './merge-limits.ts';

test('a change keeps what it does not name, and null takes away', () => {
  const before: Limits = {
    cpu: { quotaMicros: 1000, shares: 5 },
    pids: 10,
    io: { devices: [{ device: '/dev/a', readBytesPerSecond: 1 }] },
  };
  assert.deepEqual(
    mergedLimits(before, {
      cpu: { quotaMicros: null },
      io: { devices: [{ device: '/dev/a', writeBytesPerSecond: 2 }] },
    }),
    {
      cpu: { quotaMicros: null, shares: 5 },
      pids: 10,
      io: { devices: [{ device: '/dev/a', readBytesPerSecond: 1, writeBytesPerSecond: 2 }] },
    },
  );
});

test('every kind of limit is merged', () => {
  const before: Limits = {
    hugetlb: [{ pageBytes: 1, maxBytes: 1 }],
    network: { egressBytesPerSecond: 1 },
    log: { maxBytes: 1, maxFiles: 1 },
  };
  const change: Limits = {
    hugetlb: [{ pageBytes: 1, reservedMaxBytes: 2 }, { pageBytes: 9 }],
    network: { ingressBytesPerSecond: 2 },
    openFiles: 3,
    log: { maxFiles: null },
  };
  assert.deepEqual(mergedLimits(before, change), {
    hugetlb: [{ pageBytes: 1, maxBytes: 1, reservedMaxBytes: 2 }, { pageBytes: 9 }],
    network: { egressBytesPerSecond: 1, ingressBytesPerSecond: 2 },
    openFiles: 3,
    log: { maxBytes: 1, maxFiles: null },
  });
});

test('the way back names what the change named, as it was', () => {
  const before: Limits = {
    cpu: { quotaMicros: 5000, shares: 7 },
    pids: 10,
    io: { weight: 20, devices: [{ device: '/dev/a', readBytesPerSecond: 1 }] },
    log: { maxBytes: 1, maxFiles: 2 },
  };
  const change: Limits = {
    cpu: { quotaMicros: null },
    memory: { maxBytes: 9, oomKillDisabled: true },
    pids: 5,
    io: {
      devices: [
        { device: '/dev/a', readBytesPerSecond: 2, writeBytesPerSecond: 3 },
        { device: '/dev/b', readBytesPerSecond: 4 },
      ],
    },
    openFiles: 64,
    log: { maxBytes: 5 },
  };
  const back = revertingChange(before, change);
  assert.deepEqual(back, {
    cpu: { quotaMicros: 5000 },
    memory: { maxBytes: null, oomKillDisabled: false },
    pids: 10,
    io: {
      devices: [
        { device: '/dev/a', readBytesPerSecond: 1, writeBytesPerSecond: null },
        { device: '/dev/b', readBytesPerSecond: null },
      ],
    },
    openFiles: null,
    log: { maxBytes: 1 },
  });
});

test('a burst comes down with its quota, unless it is named', () => {
  const before: Limits = { cpu: { quotaMicros: 50_000, burstMicros: 40_000 } };
  const fitted = (cpu: NonNullable<Limits['cpu']>) => withFittingBurst(before, { cpu }).cpu;
  assert.deepEqual(fitted({ quotaMicros: 10_000 }), { quotaMicros: 10_000, burstMicros: 10_000 });
  assert.deepEqual(fitted({ quotaMicros: 45_000 }), { quotaMicros: 45_000 });
  assert.deepEqual(fitted({ quotaMicros: null }), { quotaMicros: null });
  assert.deepEqual(fitted({ quotaMicros: 10_000, burstMicros: 0 })?.burstMicros, 0);
});
