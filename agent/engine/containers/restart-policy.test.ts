import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RestartPolicy } from '../../contract/container.ts';
import { nextDelayMs, shouldRestart, shouldStartWithAgent } from './restart-policy.ts';

const policy = (name: RestartPolicy['name'], maximumRetryCount = 0) => ({
  name,
  maximumRetryCount,
});
const ending = { exitCode: 1, manuallyStopped: false, restartCount: 0 };

test('which endings a policy answers with a start', () => {
  assert.equal(shouldRestart(policy('no'), ending), false);
  assert.equal(shouldRestart(policy('always'), { ...ending, exitCode: 0 }), true);
  assert.equal(shouldRestart(policy('unless-stopped'), ending), true);
  assert.equal(shouldRestart(policy('on-failure'), ending), true);
  assert.equal(shouldRestart(policy('on-failure'), { ...ending, exitCode: 0 }), false);
  assert.equal(shouldRestart(policy('on-failure', 2), { ...ending, restartCount: 1 }), true);
  assert.equal(shouldRestart(policy('on-failure', 2), { ...ending, restartCount: 2 }), false);
  assert.equal(shouldRestart(policy('always'), { ...ending, manuallyStopped: true }), false);
});

test('after a restart of the agent a stop by hand counts for unless-stopped only', () => {
  const stopped = { ...ending, manuallyStopped: true };
  assert.equal(shouldStartWithAgent(policy('always'), stopped), true);
  assert.equal(shouldStartWithAgent(policy('unless-stopped'), stopped), false);
  assert.equal(shouldStartWithAgent(policy('unless-stopped'), ending), true);
});

test('the wait doubles up to a minute, and a steady run starts it anew', () => {
  assert.equal(nextDelayMs(undefined, 0), 100);
  assert.equal(nextDelayMs(100, 0), 200);
  assert.equal(nextDelayMs(50_000, 0), 60_000);
  assert.equal(nextDelayMs(60_000, 10_000), 100);
});
