import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { trimMemoryLater } from './trim-memory.ts';

test('memory is trimmed once after the delay, and an error of the kernel is only logged', async (t) => {
  const errors = t.mock.method(console, 'error', () => {});
  let times = 0;
  trimMemoryLater(() => {
    times++;
    throw new Error('refused');
  }, 20);
  assert.equal(times, 0);
  await sleep(100);
  assert.equal(times, 1);
  assert.match(String(errors.mock.calls[0]?.arguments[1]), /refused/);
});
