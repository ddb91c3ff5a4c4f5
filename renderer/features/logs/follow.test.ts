import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newLines } from './follow.ts';

test('lines of one time all count, and a reading that goes on repeats none and loses none', () => {
  const source = { lastTime: '', linesAtLastTime: 0 };
  const first = newLines(source);
  assert.deepEqual(['T1', 'T2', 'T2', 'T2'].map(first), [true, true, true, true]);
  // The engine sends what it has since T2: the three that came, two more of that time, and later ones.
  const second = newLines(source);
  assert.deepEqual(['T2', 'T2', 'T2', 'T2', 'T2', 'T3'].map(second), [
    false,
    false,
    false,
    true,
    true,
    true,
  ]);
  assert.deepEqual(source, { lastTime: 'T3', linesAtLastTime: 1 });
});
