import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Limits } from '../../contract/limits.ts';
import { FakeCgroup } from '../testdata/fake-cgroups.ts';
import { limitWarnings } from './limit-warnings.ts';

const MiB = 1024 * 1024;

/** Uses 50 MiB, of which 10 can go at once, has 20 processes, 30 open files, and a log of 100 bytes. */
function warn(change: Limits): string[] {
  const { used: usage } = new FakeCgroup('web', {}, () => {});
  usage.memory.usageBytes = 50 * MiB;
  usage.memory.inactiveFileBytes = 10 * MiB;
  usage.pids.current = 20;
  return limitWarnings(change, change, { usage, openFiles: 30, logBytes: 100 });
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
  ['no limit at all', { memory: { maxBytes: null }, pids: null, openFiles: null }, undefined],
];

for (const [name, change, words] of cases)
  test(name, () => {
    const warnings = warn(change);
    if (words === undefined) assert.deepEqual(warnings, []);
    else assert.match(warnings.join('|'), words);
    assert.ok(warnings.length <= 1);
  });
