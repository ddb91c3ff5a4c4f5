import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import { sample } from '../metrics/testdata/samples.ts';
import { FakeCgroup } from '../testdata/fake-cgroups.ts';
import { limitWarnings } from './limit-warnings.ts';

const MiB = 1024 * 1024;

/** Sends 5 MiB a second, used 1.5 CPUs, wrote 10 MiB in 40 pieces in its last second, has 8 MiB in 500 files, uses 50 MiB, of which 10 can go at once, has 20 processes, 30 open files, and a log of 100 bytes. */
function warn(change: Limits): string[] {
  const { used: usage } = new FakeCgroup('web', {}, () => {});
  usage.memory.usageBytes = 50 * MiB;
  usage.memory.inactiveFileBytes = 10 * MiB;
  usage.pids.current = 20;
  const disk = { usedBytes: 8 * MiB, maxBytes: undefined, usedInodes: 500, maxInodes: undefined };
  const latest = sample(1, {
    cpu: { usedMicros: 1_500_000 },
    io: { writtenBytes: 10 * MiB, writeOperations: 40 },
  });
  const network = { egressBytesPerSecond: 5 * MiB, ingressBytesPerSecond: 0 };
  const counted = { usage, openFiles: 30, logBytes: 100, disk, latest, network };
  return limitWarnings(change, change, counted);
}

const cases: [name: string, change: Limits, words: RegExp | undefined][] = [
  ['memory below its use', { memory: { maxBytes: 39 * MiB } }, /below the 40 MiB in use/],
  ['memory within a tenth', { memory: { maxBytes: 42 * MiB } }, /within 10 %/],
  ['memory well above', { memory: { maxBytes: 64 * MiB } }, undefined],
  ['a high mark below the use', { memory: { highBytes: 39 * MiB } }, /slowed down/],
  ['as many processes as there are', { pids: 20 }, /no new one can start/],
  ['one more process', { pids: 21 }, /only 1 more/],
  ['many more processes', { pids: 30 }, undefined],
  ['fewer files than are open', { openFiles: 30 }, /can open no more/],
  ['a few files more', { openFiles: 32 }, /only 2 more/],
  ['many more files', { openFiles: 64 }, undefined],
  ['a log below its size', { log: { maxBytes: 9, maxFiles: 11 } }, /oldest lines go/],
  ['a log above its size', { log: { maxBytes: 50, maxFiles: 2 } }, undefined],
  ['less CPU than it uses', { cpu: { quotaMicros: 50_000 } }, /used 1.5 CPUs .* limit is 0.5/],
  [
    'less than it sends',
    { network: { egressBytesPerSecond: 4 * MiB, ingressBytesPerSecond: 1 } },
    /sends 5 MiB a second now, and the limit is 4 MiB/,
  ],
  ['as much as it sends', { network: { egressBytesPerSecond: 5 * MiB } }, undefined],
  [
    'fewer bytes a second than it writes',
    { io: { devices: [{ device: '/dev/vda', writeBytesPerSecond: 4 * MiB }] } },
    /wrote 10 MiB in the last second, and the limit of \/dev\/vda is 4 MiB/,
  ],
  [
    'fewer writes a second than it makes',
    { io: { devices: [{ device: '/dev/vda', writeOperationsPerSecond: 30 }] } },
    /wrote 40 times in the last second, and the limit of \/dev\/vda is 30 times/,
  ],
  [
    'as much as it writes, and less than it does not read',
    {
      io: {
        devices: [{ device: '8:0', writeBytesPerSecond: 10 * MiB, readBytesPerSecond: 1 }],
      },
    },
    undefined,
  ],
  ['as much CPU', { cpu: { quotaMicros: 15_000, periodMicros: 10_000 } }, undefined],
  [
    'fewer bytes than the disk holds',
    { disk: { maxBytes: 7 * MiB } },
    /nothing more can be written/,
  ],
  ['fewer files than the disk holds', { disk: { maxInodes: 499 } }, /no new one can be made/],
  ['room on the disk', { disk: { maxBytes: 9 * MiB, maxInodes: 501 } }, undefined],
  ['no limit at all', { memory: { maxBytes: null }, pids: null, openFiles: null }, undefined],
];

for (const [name, change, words] of cases)
  test(name, () => {
    const warnings = warn(change);
    if (words === undefined) assert.deepEqual(warnings, []);
    else assert.match(warnings.join('|'), words);
    assert.ok(warnings.length <= 1);
  });
