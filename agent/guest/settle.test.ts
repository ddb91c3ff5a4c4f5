import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { settleLater } from './settle.ts';

test('memory is given back once, some time later, and a kernel that refuses ends nothing', async (t) => {
  const told = t.mock.method(console, 'error', () => {});
  let times = 0;
  settleLater(() => {
    times++;
    throw new Error('refused');
  }, 20);
  assert.equal(times, 0);
  await sleep(100);
  assert.equal(times, 1);
  assert.match(String(told.mock.calls[0]?.arguments[1]), /refused/);
});
