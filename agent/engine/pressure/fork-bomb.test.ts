import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nothingUsed } from '../../contract/limits.ts';
import type { PressureSample } from '../../contract/pressure.ts';
import { difference } from './difference.ts';
import { ForkBombWatch } from './fork-bomb.ts';

function sampleOf(atMs: number, refusals: number): PressureSample {
  const pids = { current: 9, limit: 9, refusals };
  const sample = difference(
    { atMs: atMs - 1000, usage: nothingUsed },
    { atMs, usage: { ...nothingUsed, pids } },
    2,
  );
  assert.ok(sample);
  return { ...sample, diskFull: false };
}

/** What it says each second of as many refusals. */
const said = (...refusals: number[]) => {
  const watch = new ForkBombWatch();
  return refusals.map((count, second) => {
    watch.look(sampleOf(1000 * (second + 1), count));
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
