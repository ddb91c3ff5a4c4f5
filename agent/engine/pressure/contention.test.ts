import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Contention, isContended } from './contention.ts';

test('contention: only where several run, somebody waits, and not on an idle machine', () => {
  const cases: [Parameters<typeof isContended>[0], number, boolean][] = [
    [{ running: 1, cpuStall: 0.9 }, 1, false],
    [{ running: 2, cpuStall: 0.9 }, 1, true],
    [{ running: 2, cpuStall: 0.02 }, 0.5, true],
    [{ running: 2, cpuStall: 0.01 }, 1, false],
    // It waits because of its own quota.
    [{ running: 2, cpuStall: 0.9 }, 0.1, false],
    // A kernel that does not tell.
    [{ running: 2 }, 0.5, false],
    [{ running: 2 }, 0.7, true],
  ];
  for (const [look, busy, wanted] of cases)
    assert.equal(isContended(look, busy), wanted, `${JSON.stringify(look)} at ${busy}`);
});

test('contention: a first look shows nothing, nor does the first after a rest', () => {
  let busy = 0;
  const contention = new Contention(() => {
    busy += 100;
    return { busy, idle: 0 };
  });
  const runs = (running: number) => contention.look({ running, cpuStall: 0.5 });
  assert.deepEqual([2, 2, 2, 1, 2, 2].map(runs), [false, true, true, false, false, true]);
});
