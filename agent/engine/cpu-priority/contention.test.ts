import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contention, isContended, type Moment } from './contention.ts';

test('contention: only when tasks wait on a busy machine', () => {
  const cases: [Parameters<typeof isContended>[0], boolean][] = [
    [{ busy: 1, stall: 0.9 }, true],
    [{ busy: 0.5, stall: 0.02 }, true],
    [{ busy: 1, stall: 0.01 }, false],
    // Throttled by its own quota.
    [{ busy: 0.1, stall: 0.9 }, false],
    // Without pressure stall information.
    [{ busy: 0.5 }, false],
    [{ busy: 0.7 }, true],
  ];
  for (const [load, wanted] of cases) assert.equal(isContended(load), wanted, JSON.stringify(load));
});

test('contention: none at the first check, after a rest, or with one container', () => {
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
  const answers = [2, 2, 2, 1, 2, 2].map((running) => contention.check(running));
  assert.deepEqual(answers, [false, true, true, false, false, true]);
});

test('contention: shares are those between two checks, however short', () => {
  const between = (now: Partial<Moment>) => {
    const moments = [
      { atMs: 0, busy: 0, idle: 0, waitedMicros: 0 },
      { atMs: 50, busy: 5, idle: 5, waitedMicros: 1000, ...now },
    ];
    const contention = new Contention(() => moments.shift() as Moment);
    contention.check(2);
    return contention.check(2);
  };
  assert.equal(between({}), true);
  assert.equal(between({ waitedMicros: 900 }), false);
  assert.equal(between({ idle: 8 }), false);
});
