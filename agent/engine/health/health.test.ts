import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextHealth } from './health.ts';

const at = new Date(0);
const result = (exitCode: number) => ({ start: at, end: at, exitCode, output: '' });
const starting = { status: 'starting' as const, failingStreak: 0, log: [] };

test('failures count after the start period, and as many as retries make it unhealthy', () => {
  const early = nextHealth(starting, result(1), { retries: 2, startingUp: true });
  assert.deepEqual([early.status, early.failingStreak], ['starting', 0]);
  const once = nextHealth(early, result(1), { retries: 2, startingUp: false });
  assert.deepEqual([once.status, once.failingStreak], ['starting', 1]);
  const twice = nextHealth(once, result(1), { retries: 2, startingUp: false });
  assert.equal(twice.status, 'unhealthy');
  assert.equal(nextHealth(twice, result(0), { retries: 2, startingUp: false }).status, 'healthy');
});

test('a success ends the starting, after which the start period no longer excuses', () => {
  const healthy = nextHealth(starting, result(0), { retries: 1, startingUp: true });
  assert.equal(healthy.status, 'healthy');
  assert.equal(
    nextHealth(healthy, result(1), { retries: 1, startingUp: true }).status,
    'unhealthy',
  );
});

test('the last five results are kept', () => {
  let health: ReturnType<typeof nextHealth> = starting;
  for (let code = 0; code < 7; code++)
    health = nextHealth(health, result(code), { retries: 9, startingUp: false });
  assert.deepEqual(
    health.log.map(({ exitCode }) => exitCode),
    [2, 3, 4, 5, 6],
  );
});
