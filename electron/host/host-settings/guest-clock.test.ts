import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompanionContext } from '../machine/machine.ts';
import { pauseListeners } from '../machine/testdata/pause-listeners.ts';
import { guestClock } from './guest-clock.ts';

test('the clock is set at the start, after the computer’s sleep and after a pause, but not during one', async () => {
  const times: number[] = [];
  const { onPauseChange, setPaused } = pauseListeners();
  let wakeHost = () => {};
  const context = {
    background: {
      request: async ({ path, body }: { path: string; body: string }) => {
        assert.equal(path, '/corten/v1/machine/clock');
        times.push(JSON.parse(body).timeMs);
        return { status: 200, headers: {}, body: new Uint8Array() };
      },
    },
    onPauseChange,
    report: assert.ifError,
  } as unknown as CompanionContext;
  const clock = guestClock({
    onHostResume(listener) {
      wakeHost = listener;
      return () => {
        wakeHost = () => {};
      };
    },
  })(context);
  assert.equal(times.length, 1);
  assert.ok(Math.abs(Date.now() - times[0]!) < 5000);
  wakeHost();
  assert.equal(times.length, 2);
  setPaused(true);
  wakeHost();
  assert.equal(times.length, 2);
  setPaused(false);
  assert.equal(times.length, 3);
  await clock.close();
  wakeHost();
  setPaused(true);
  setPaused(false);
  assert.equal(times.length, 3);
});
