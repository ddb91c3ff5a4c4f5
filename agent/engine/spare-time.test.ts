import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../e2e/until.ts';
import { SpareTime } from './spare-time.ts';

const silent = { report: () => {} };

test('spare time: work is done later, in order, and once', async () => {
  const done: number[] = [];
  const spareTime = new SpareTime({ ...silent, quietMs: 1 });
  for (const index of [1, 2, 3])
    spareTime.putOff(`k${index}`, 'count', () => void done.push(index));
  assert.deepEqual(done, []);
  await until(() => done.length >= 3);
  await spareTime.close();
  assert.deepEqual(done, [1, 2, 3]);
});

test('spare time: who needs it done has it done first, also when it is under way', async () => {
  const spareTime = new SpareTime({ ...silent, quietMs: 60_000 });
  const { promise, resolve } = Promise.withResolvers<void>();
  let ended = false;
  spareTime.putOff('slow', 'wait', async () => {
    await promise;
    ended = true;
  });
  const first = spareTime.finish('slow');
  const second = spareTime.finish('slow').then(() => ended);
  resolve();
  assert.equal(await second, true);
  await first;
  await spareTime.finish('unknown');
});

test('spare time: what piles up is begun whatever else goes on', async () => {
  const spareTime = new SpareTime({ ...silent, quietMs: 60_000 });
  let done = 0;
  for (let index = 0; index < 100; index++)
    spareTime.putOff(`${index}`, 'count', () => void done++);
  while (done < 100) await new Promise((next) => setImmediate(next));
});

test('spare time: an engine that is never left alone does it all the same', async () => {
  const spareTime = new SpareTime({ ...silent, quietMs: 50, longestMs: 5 });
  let done = false;
  spareTime.putOff('one', 'work', () => {
    done = true;
  });
  const busy = setInterval(() => spareTime.touch(), 1);
  await until(() => done);
  clearInterval(busy);
});

test('spare time: a piece that fails is reported and keeps none of the others', async () => {
  const reports: string[] = [];
  const spareTime = new SpareTime({ report: (what, error) => reports.push(`${what}: ${error}`) });
  let done = false;
  spareTime.putOff('bad', 'break', () => {
    throw new Error('broken');
  });
  spareTime.putOff('good', 'work', () => {
    done = true;
  });
  await spareTime.close();
  assert.deepEqual(reports, ['break: Error: broken']);
  assert.equal(done, true);
});
