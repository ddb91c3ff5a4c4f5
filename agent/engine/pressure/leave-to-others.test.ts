import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingUsed } from '../../contract/limits.ts';
import { until } from '../../e2e/until.ts';
import { create, workbench } from '../testdata/workbench.ts';

const MiB = 1024 ** 2;

test('what others need is left to them by who has no limit of its own, and again under the next agent', async (t) => {
  const bench = await workbench(t);
  const started = async (usageBytes: number, maxBytes?: number) => {
    const id = await create(bench, maxBytes ? { limits: { memory: { maxBytes } } } : {});
    await bench.engine.containers.start(id);
    const { last, launched } = bench.runtime;
    t.after(() => last.exit(0));
    bench.runtime.leftBehind.set(launched.at(-1)?.request.runDirectory ?? '', last);
    const group = bench.cgroups.open(id);
    group.used = { ...nothingUsed, memory: { ...nothingUsed.memory, usageBytes } };
    return group;
  };
  const hog = await started(2000 * MiB);
  const web = await started(300 * MiB);
  const limited = await started(300 * MiB, 400 * MiB);
  await until(() => hog.leftToOthers.length > 0 && web.leftToOthers.length > 0);
  // In steps of 64.
  assert.deepEqual([hog.leftToOthers, web.leftToOthers], [[640 * MiB], [640 * MiB]]);
  assert.deepEqual(limited.leftToOthers, []);
  await bench.reopen();
  await until(() => hog.leftToOthers.length > 1);
  assert.deepEqual(hog.leftToOthers, [640 * MiB, 640 * MiB]);
});
