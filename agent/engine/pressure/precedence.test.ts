import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Precedence, precedences } from './precedence.ts';

/** Of containers that used so much. */
function after(used: number[], before: Precedence[] = [], isContended = true): Precedence[] {
  const turns = used.map((share, index) => ({
    used: share,
    isBomb: false,
    isEnding: false,
    before: before[index] ?? ('own' as const),
  }));
  return precedences(turns, isContended);
}

test('precedence: whoever uses less than half of a fair share comes first', () => {
  assert.deepEqual(after([1.9, 0.05]), ['own', 'ahead']);
  assert.deepEqual(after([1.5, 0.49]), ['own', 'ahead']);
  assert.deepEqual(after([1.4, 0.6]), ['own', 'own']);
  assert.deepEqual(after([0.5, 0.5, 0.5, 0.3]), ['own', 'own', 'own', 'own']);
  assert.deepEqual(after([0.3, 0.05]), ['own', 'ahead'], 'others have the rest of the machine');
  assert.deepEqual(after([0.9]), ['own']);
});

test('precedence: those that use nothing leave their share to the others', () => {
  assert.deepEqual(after([1.4, 0.4, 0, 0, 0, 0]), ['own', 'ahead', ...Array(4).fill('ahead')]);
});

test('precedence: it is kept up to a fair share', () => {
  assert.deepEqual(after([1.1, 0.8], ['own', 'ahead']), ['own', 'ahead']);
  assert.deepEqual(after([0.9, 1.1], ['own', 'ahead']), ['own', 'own']);
});

test('precedence: nobody has any where nobody waits', () => {
  assert.deepEqual(after([0.4, 0.05], ['own', 'ahead'], false), ['own', 'own']);
});

test('precedence: a fork bomb comes last, and is held while others run, but not to its end', () => {
  const bomb = { used: 0.2, isBomb: true, isEnding: false, before: 'ahead' as const };
  const ending = { ...bomb, isEnding: true };
  const web = { used: 0.01, isBomb: false, isEnding: false, before: 'own' as const };
  assert.deepEqual(precedences([bomb, web], true), ['held', 'ahead']);
  assert.deepEqual(precedences([bomb, web], false), ['held', 'own']);
  assert.deepEqual(precedences([ending, web], true), ['behind', 'ahead']);
  assert.deepEqual(precedences([bomb], true), ['behind']);
});
