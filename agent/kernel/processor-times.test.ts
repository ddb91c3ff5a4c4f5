import assert from 'node:assert/strict';
import { test } from 'node:test';
import { processorTimes } from './processor-times.ts';

test('processor times: what the kernel counts as busy and as idle', () => {
  const text = 'cpu  10 20 30 400 5 6 7 80 9 9\ncpu0 1 1 1 1 1 1 1 0 0 0\n';
  assert.deepEqual(processorTimes(text), { busy: 73, idle: 405 });
});
