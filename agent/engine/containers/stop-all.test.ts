import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, workbench } from '../testdata/workbench.ts';

test('the machine goes down: all are asked to end, and those with a policy come back', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const plain = await create(bench, {}, 'plain');
  const kept = await create(
    bench,
    { restart: { name: 'unless-stopped', maximumRetryCount: 0 } },
    'kept',
  );
  for (const id of [plain, kept]) await containers.start(id);
  const launched = bench.runtime.launched.length;
  await bench.engine.stopAll();
  assert.equal(containers.inspect(plain).state.status, 'exited');
  assert.equal(containers.inspect(kept).state.status, 'restarting');
  assert.equal(bench.runtime.launched.length, launched);
});
