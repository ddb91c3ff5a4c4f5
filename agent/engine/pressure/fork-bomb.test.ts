import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForkBombWatch } from './fork-bomb.ts';
import { sample } from './testdata/samples.ts';

/** What it says each second of as many refusals. */
const said = (...refusals: number[]) => {
  const watch = new ForkBombWatch();
  return refusals.map((count, second) => {
    watch.look(sample(second + 1, { pids: { refusals: count } }));
    return watch.isBomb;
  });
};

test('fork bomb: whoever is refused now and then is none', () => {
  assert.deepEqual(said(0, 99, 0, 99), [false, false, false, false]);
});

test('fork bomb: it is one until it has asked for nothing for five seconds', () => {
  const bomb = said(100, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0);
  assert.equal(bomb.indexOf(false), 11);
  assert.deepEqual(bomb.slice(11), [false, false]);
});

test('fork bomb: afterwards it takes a bomb again', () => {
  assert.deepEqual(said(500, 0, 0, 0, 0, 0, 99, 100).slice(5), [false, false, true]);
});
