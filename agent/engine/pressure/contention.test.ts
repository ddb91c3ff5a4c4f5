import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contention, isContended, type Moment } from './contention.ts';

test('contention: only where somebody waits, and not on an idle machine', () => {
  const cases: [Parameters<typeof isContended>[0], boolean][] = [
    [{ busy: 1, stall: 0.9 }, true],
    [{ busy: 0.5, stall: 0.02 }, true],
    [{ busy: 1, stall: 0.01 }, false],
    // It waits because of its own quota.
    [{ busy: 0.1, stall: 0.9 }, false],
    // A kernel that does not tell.
    [{ busy: 0.5 }, false],
    [{ busy: 0.7 }, true],
  ];
  for (const [load, wanted] of cases) assert.equal(isContended(load), wanted, JSON.stringify(load));
});

test('contention: a first look shows nothing, nor does the first after a rest, nor one alone', () => {
  let seconds = 0;
  const contention = new Contention(() => {
    seconds++;
    return {
      atMs: seconds * 1000,
      busy: seconds * 100,
      idle: 0,
      waitedMicros: seconds * 500_000,
    };
  });
  const looks = [2, 2, 2, 1, 2, 2].map((running) => contention.look(running));
  assert.deepEqual(looks, [false, true, true, false, false, true]);
});

test('contention: shares are those of the time between two looks, however short', () => {
  const between = (now: Partial<Moment>) => {
    const moments = [
      { atMs: 0, busy: 0, idle: 0, waitedMicros: 0 },
      { atMs: 50, busy: 5, idle: 5, waitedMicros: 1000, ...now },
    ];
    const contention = new Contention(() => moments.shift() as Moment);
    contention.look(2);
    return contention.look(2);
  };
  assert.equal(between({}), true);
  assert.equal(between({ waitedMicros: 900 }), false);
  assert.equal(between({ idle: 8 }), false);
});
