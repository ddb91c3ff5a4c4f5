import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { mock, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startSilenceTimeout } from './silence-timeout.ts';

/** Data of a stream arrives in later turns of the event loop. */
async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await turn();
}

test('a line that stays silent is ended, and one that speaks is not before', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const line = new PassThrough();
  const errors: Error[] = [];
  line.once('error', (error) => errors.push(error));
  startSilenceTimeout(line);
  for (let words = 0; words < 10; words++) {
    await pass(30_000);
    line.write('x');
    await turn();
  }
  await pass(30_000);
  assert.deepEqual(errors, []);
  await pass(5_000);
  assert.match(String(errors[0]), /silent for too long/);
});

test('while silence is expected nothing ends; after it the line has its time again', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const line = new PassThrough().on('error', () => {});
  const watch = startSilenceTimeout(line);
  await pass(30_000);
  watch.allow(true);
  await pass(600_000);
  watch.allow(false);
  await pass(30_000);
  assert.equal(line.destroyed, false);
  await pass(5_000);
  assert.equal(line.destroyed, true);
});
