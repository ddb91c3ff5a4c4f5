/** What a container has of whoever makes it: nothing that nobody asked for, and what is to stay as it is. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { TestBench, testProcess, testSpec } from './testdata/test-container.ts';

const own = {
  groups: process.getgroups?.() ?? [],
  oomScore: readFileSync('/proc/self/oom_score_adj', 'utf8'),
};
let bench: TestBench;

// Before anything is started ahead, which has them from then on.
before(async () => {
  process.setgroups?.([77]);
  writeFileSync('/proc/self/oom_score_adj', '321');
  bench = await TestBench.open();
});
after(async () => {
  await bench.close();
  process.setgroups?.(own.groups);
  writeFileSync('/proc/self/oom_score_adj', own.oomScore);
});

const run = async (script: string, changes: Parameters<typeof testProcess>[1] = {}) =>
  (await bench.run(testSpec(testProcess(['/bin/sh', '-c', script], changes)))).stdout;

test('the agent’s groups are not inherited, also where none are asked for', async () => {
  assert.equal(await run('id -G'), '0\n');
  assert.equal(await run('id -G', { user: { uid: 1000, gid: 1000 } }), '1000\n');
});

test('the oom score is the agent’s, unless another is asked for', async () => {
  assert.equal(await run('cat /proc/self/oom_score_adj'), '321\n');
  assert.equal(await run('cat /proc/self/oom_score_adj', { oomScoreAdj: 500 }), '500\n');
});
