import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { processFigures, psFigures } from './process-figures.ts';

test('what ps says of memory and of processor time', () => {
  const of = (time: string) => psFigures(` 2048 ${time}\n`);
  assert.deepEqual(of('0:01.50'), { hostMemoryBytes: 2 * 1024 ** 2, cpuMs: 1500 });
  assert.equal(of('01:02:03').cpuMs, 3_723_000);
  assert.equal(of('2-00:00:01').cpuMs, 172_801_000);
});

test('a process that runs, and one that has ended', async () => {
  const { hostMemoryBytes = 0, cpuMs = 0 } = await processFigures(process.pid);
  assert.ok(hostMemoryBytes > 10 * 1024 ** 2 && cpuMs > 0, `${hostMemoryBytes} ${cpuMs}`);
  assert.deepEqual(await processFigures(spawnSync('true').pid), {});
  assert.deepEqual(await processFigures(undefined), {});
});
