import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toChange, toDraft } from './draft.ts';
import { noDevice, noPages } from './draft-lists.ts';

const MiB = 1024 ** 2;
const unlimited = toDraft({});

test('limits become what the sliders show', () => {
  const draft = toDraft({
    cpu: {
      ...{ quotaMicros: 75_000, periodMicros: 50_000, shares: 512, cpus: '0-1' },
      burstMicros: 1500,
    },
    memory: {
      maxBytes: 64 * MiB,
      maxWithSwapBytes: 96 * MiB,
      reservationBytes: 16 * MiB,
      oomGroup: false,
    },
    pids: 100,
    openFiles: 256,
    log: { maxBytes: MiB, maxFiles: null },
    network: { egressBytesPerSecond: 5000, ingressBytesPerSecond: null },
    disk: { maxBytes: 64 * MiB, maxInodes: null },
    io: { weight: 300, devices: [{ device: '/dev/a', readBytesPerSecond: null }] },
    hugetlb: [
      { pageBytes: 2 * MiB, maxBytes: 0 },
      { pageBytes: 1024 * MiB, maxBytes: null },
    ],
  });
  assert.deepEqual(draft, {
    cpus: 1.5,
    cpuShares: 512,
    cpuset: '0-1',
    memoryBytes: 64 * MiB,
    swapBytes: 32 * MiB,
    pids: 100,
    openFiles: 256,
    logBytes: MiB,
    logFiles: undefined,
    egress: 5000,
    ingress: undefined,
    burstMs: 1.5,
    reservationBytes: 16 * MiB,
    highBytes: undefined,
    oomGroup: false,
    diskBytes: 64 * MiB,
    diskInodes: undefined,
    ioWeight: 300,
    devices: [],
    pages: [{ pageBytes: 2 * MiB, maxBytes: 0, reservedMaxBytes: undefined }],
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
    readOperationsPerSecond: undefined,
    writeOperationsPerSecond: undefined,
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

test('every other limit goes out under its own name, and is null when it is taken away', () => {
  const limited = {
    ...unlimited,
    ...{ burstMs: 20, reservationBytes: 8 * MiB, highBytes: 9 * MiB, oomGroup: false },
    ...{ openFiles: 64, egress: 5000, ingress: 6000, logBytes: MiB, logFiles: 2, ioWeight: 20 },
    ...{ diskBytes: 64 * MiB, diskInodes: 500 },
    pages: [{ pageBytes: 2 * MiB, maxBytes: 0, reservedMaxBytes: undefined }],
  };
  assert.deepEqual(toChange(unlimited, limited), {
    cpu: { burstMicros: 20_000 },
    memory: { reservationBytes: 8 * MiB, highBytes: 9 * MiB, oomGroup: false },
    disk: { maxBytes: 64 * MiB, maxInodes: 500 },
    io: { weight: 20 },
    hugetlb: [{ pageBytes: 2 * MiB, maxBytes: 0, reservedMaxBytes: null }],
    network: { egressBytesPerSecond: 5000, ingressBytesPerSecond: 6000 },
    openFiles: 64,
    log: { maxBytes: MiB, maxFiles: 2 },
  });
  assert.deepEqual(toChange(limited, unlimited), {
    cpu: { burstMicros: null },
    memory: { reservationBytes: null, highBytes: null, oomGroup: null },
    disk: { maxBytes: null, maxInodes: null },
    io: { weight: null },
    hugetlb: [{ pageBytes: 2 * MiB, maxBytes: null, reservedMaxBytes: null }],
    network: { egressBytesPerSecond: null, ingressBytesPerSecond: null },
    openFiles: null,
    log: { maxBytes: null, maxFiles: null },
  });
});

test('rows that have no name yet are not sent', () => {
  const started = {
    ...unlimited,
    devices: [{ ...noDevice, readBytesPerSecond: 5 }],
    pages: [{ ...noPages, maxBytes: 5 }],
  };
  assert.equal(toChange(unlimited, started), undefined);
});
