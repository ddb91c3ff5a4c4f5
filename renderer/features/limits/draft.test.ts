import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toChange, toDraft } from './draft.ts';

const MiB = 1024 ** 2;
const unlimited = toDraft({});

test('limits become what the sliders show', () => {
  const draft = toDraft({
    cpu: { quotaMicros: 75_000, periodMicros: 50_000, shares: 512, cpus: '0-1' },
    memory: { maxBytes: 64 * MiB, maxWithSwapBytes: 96 * MiB },
    pids: 100,
  });
  assert.deepEqual(draft, {
    cpus: 1.5,
    cpuShares: 512,
    cpuset: '0-1',
    memoryBytes: 64 * MiB,
    swapBytes: 32 * MiB,
    pids: 100,
    devices: [],
  });
});

test('only what changed is sent', () => {
  assert.equal(toChange(unlimited, unlimited), undefined);
  assert.deepEqual(toChange(unlimited, { ...unlimited, cpus: 0.5 }), {
    cpu: { quotaMicros: 50_000, periodMicros: 100_000 },
  });
  assert.deepEqual(toChange(unlimited, { ...unlimited, memoryBytes: 64 * MiB, swapBytes: 0 }), {
    memory: { maxBytes: 64 * MiB, maxWithSwapBytes: 64 * MiB },
  });
});

test('a limit that is taken away is null, and the way back restores it', () => {
  const limited = {
    ...unlimited,
    cpus: 1,
    memoryBytes: 8 * MiB,
    swapBytes: 0,
    pids: 5,
    cpuset: '0',
  };
  assert.deepEqual(toChange(limited, unlimited), {
    cpu: { quotaMicros: null, cpus: null },
    memory: { maxBytes: null, maxWithSwapBytes: null },
    pids: null,
  });
  assert.equal(toChange(unlimited, limited)!.pids, 5);
});

test('devices: a new one, a changed one, a gone one', () => {
  const device = (name: string, rate: number | undefined) => ({
    device: name,
    readBytesPerSecond: rate,
    writeBytesPerSecond: undefined,
  });
  const before = { ...unlimited, devices: [device('/dev/a', 1), device('/dev/b', 2)] };
  const after = { ...unlimited, devices: [device('/dev/b', 2), device('/dev/c', 3)] };
  assert.deepEqual(
    toChange(before, after)!.io!.devices!.map((one) => [one.device, one.readBytesPerSecond]),
    [
      ['/dev/a', null],
      ['/dev/c', 3],
    ],
  );
});
