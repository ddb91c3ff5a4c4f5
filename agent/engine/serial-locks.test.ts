import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SerialLocks } from './serial-locks.ts';

test('work on one key keeps its order, and a failure lets the next go on', async () => {
  const locks = new SerialLocks();
  const order: string[] = [];
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const first = locks.run('a', async () => {
    await gate;
    order.push('first');
    throw new Error('first failed');
  });
  const second = locks.run('a', () => order.push('second'));
  const third = locks.run('a', () => order.push('third'));
  open();
  await assert.rejects(first, /first failed/);
  await Promise.all([second, third]);
  assert.deepEqual(order, ['first', 'second', 'third']);
});

test('another key does not wait', async () => {
  const locks = new SerialLocks();
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const stuck = locks.run('a', () => gate);
  assert.equal(await locks.run('b', () => 'done'), 'done');
  open();
  await stuck;
});
