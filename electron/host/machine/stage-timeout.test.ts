/** A stage that never ends, in any backend, fails after its timeout or is cancelled, and blocks no later start. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createMachine } from './lifecycle.ts';
import type { BringUpContext, Machine } from './machine.ts';
import { untilState } from './testdata/until-state.ts';

const never = new Promise<never>(() => {});

function machineWith(
  work: (context: BringUpContext) => Promise<unknown>,
  { stageMs = 50, graceMs = 20 } = {},
): Machine {
  return createMachine({
    backend: {
      kind: 'qemu',
      stages: ['image', 'disks'],
      loginAdvice: '',
      async bringUp(context) {
        await context.stage('image', () => work(context));
        await context.stage('disks', () => Promise.reject(new Error('reached')));
        return never;
      },
    },
    timeouts: { stageMs, graceMs },
  });
}

test('a stage without activity fails after its timeout, with its last message and the next step', async () => {
  let wasTold = false;
  const machine = machineWith(({ note, signal }) => {
    note('image', '3 of 40 MiB');
    signal.addEventListener('abort', () => {
      wasTold = true;
    });
    return never;
  });
  const { status, failure, stages } = await machine.start();
  assert.equal(status, 'failed');
  assert.equal(failure?.stage, 'image');
  assert.match(failure?.cause ?? '', /^This step showed no activity for 0\.05 s\. .*3 of 40 MiB/);
  assert.match(failure?.nextStep ?? '', /^Start it again\..*diagnostics/s);
  assert.equal(stages[0]?.status, 'failed');
  assert.ok(wasTold, 'what is under way hears of it');
  assert.equal((await machine.start()).status, 'failed', 'the next start is not held either');
});

test('what a backend undoes meanwhile is waited for', async () => {
  let isUndone = false;
  const machine = machineWith(
    ({ signal }) =>
      new Promise((_, reject) =>
        signal.addEventListener('abort', async () => {
          await sleep(30);
          isUndone = true;
          reject(new Error('undone'));
        }),
      ),
    { graceMs: 10_000 },
  );
  assert.match((await machine.start()).failure?.cause ?? '', /no activity/);
  assert.ok(isUndone);
});

test('cancelled, a stage that does not listen holds the stop only for a moment', async () => {
  const machine = machineWith(() => never, { stageMs: 600_000 });
  const starting = machine.start();
  await untilState(machine, ({ stages }) => stages[0]?.status === 'running');
  assert.equal((await machine.stop()).status, 'stopped');
  assert.match((await starting).failure?.cause ?? 'cancelled', /cancelled/);
});

test('a stage that says how far it is, and one that waits for a person, have their time', async () => {
  const slow = machineWith(
    async ({ note }) => {
      for (let done = 0; done < 10; done++) {
        note('image', `${done} of 10`);
        await sleep(30);
      }
    },
    { stageMs: 150 },
  );
  assert.equal((await slow.start()).failure?.cause, 'reached');
  const asking = machineWith(
    ({ ask }) => ask({ kind: 'password', user: 'me', host: 'box', wrong: false }),
    { stageMs: 40 },
  );
  const starting = asking.start();
  const { question } = await untilState(asking, (state) => state.question !== undefined);
  await sleep(200);
  asking.answer(question?.id ?? '', 'open sesame');
  assert.equal((await starting).failure?.cause, 'reached');
});
