import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../e2e/until.ts';
import { IdleQueue } from './idle-queue.ts';

const silent = { report: () => {} };

test('queue time: work is done later, in order, and once', async () => {
  const done: number[] = [];
  const idleQueue = new IdleQueue({ ...silent, quietMs: 1 });
  for (const index of [1, 2, 3]) idleQueue.add(`k${index}`, 'count', () => void done.push(index));
  assert.deepEqual(done, []);
  await until(() => done.length >= 3);
  await idleQueue.close();
  assert.deepEqual(done, [1, 2, 3]);
});

test('queue time: who needs it done has it done first, also when it is under way', async () => {
  const idleQueue = new IdleQueue({ ...silent, quietMs: 60_000 });
  const { promise, resolve } = Promise.withResolvers<void>();
  let ended = false;
  idleQueue.add('slow', 'wait', async () => {
    await promise;
    ended = true;
  });
  const first = idleQueue.flush('slow');
  const second = idleQueue.flush('slow').then(() => ended);
  resolve();
  assert.equal(await second, true);
  await first;
  await idleQueue.flush('unknown');
});

test('queue time: what piles up is begun whatever else goes on', async () => {
  const idleQueue = new IdleQueue({ ...silent, quietMs: 60_000 });
  let done = 0;
  for (let index = 0; index < 100; index++) idleQueue.add(`${index}`, 'count', () => void done++);
  while (done < 100) await new Promise((next) => setImmediate(next));
});

test('queue time: an engine that is never left alone does it all the same', async () => {
  const idleQueue = new IdleQueue({ ...silent, quietMs: 50, longestMs: 5 });
  let done = false;
  idleQueue.add('one', 'work', () => {
    done = true;
  });
  const busy = setInterval(() => idleQueue.postpone(), 1);
  await until(() => done);
  clearInterval(busy);
});

test('queue time: a piece that fails is reported and keeps none of the others', async () => {
  const reports: string[] = [];
  const idleQueue = new IdleQueue({ report: (what, error) => reports.push(`${what}: ${error}`) });
  let done = false;
  idleQueue.add('bad', 'break', () => {
    throw new Error('broken');
  });
  idleQueue.add('good', 'work', () => {
    done = true;
  });
  await idleQueue.close();
  assert.deepEqual(reports, ['break: Error: broken']);
  assert.equal(done, true);
});
