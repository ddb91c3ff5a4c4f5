import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sample } from '../metrics/testdata/samples.ts';
import { ForkBombDetector } from './fork-bomb.ts';

/** The verdict after each second with so many refusals. */
const verdicts = (...refusals: number[]) => {
  const detector = new ForkBombDetector();
  return refusals.map((count, second) => {
    detector.observe(sample(second + 1, { pids: { refusals: count } }));
    return detector.isBomb;
  });
};

test('fork bomb: an occasional refusal is not one', () => {
  assert.deepEqual(verdicts(0, 99, 0, 99), [false, false, false, false]);
});

test('fork bomb: it lasts until five seconds without a refusal', () => {
  const bomb = verdicts(100, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0);
  assert.equal(bomb.indexOf(false), 11);
  assert.deepEqual(bomb.slice(11), [false, false]);
});

test('fork bomb: afterwards the full rate is needed again', () => {
  assert.deepEqual(verdicts(500, 0, 0, 0, 0, 0, 99, 100).slice(5), [false, false, true]);
});
