import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineState } from '../../contract/machines.ts';
import { Stages } from './stages.ts';

const times = (state: MachineState) => state.stages.map(({ elapsedMs }) => elapsedMs);

test('who asks while a stage is under way hears how long it has been', async () => {
  const stages = new Stages('qemu', ['boot', 'connect']);
  const { promise, resolve } = Promise.withResolvers<void>();
  stages.begin();
  const run = stages.run('boot', () => promise);
  await sleep(30);
  for (const state of [stages.state, await firstOf(stages)]) {
    const [boot = 0, connect] = times(state);
    assert.ok(boot >= 25, `${boot} ms`);
    assert.equal(connect, undefined);
  }
  resolve();
  await run;
  const done = times(stages.state);
  await sleep(30);
  assert.deepEqual(times(stages.state), done, 'one that is done counts no more');
});

async function firstOf(stages: Stages): Promise<MachineState> {
  for await (const state of stages.watch(new AbortController().signal)) return state;
  throw new Error('nothing was told');
}
