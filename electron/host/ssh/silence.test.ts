import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { watchSilence } from './silence.ts';

test('a line that stays silent is ended, and one that speaks is not before', async () => {
  const line = new PassThrough();
  watchSilence(line, 60);
  let words = 0;
  const speaking = setInterval(() => {
    words += 1;
    line.write('x');
    if (words === 10) clearInterval(speaking);
  }, 20);
  const [error] = await once(line, 'error');
  assert.match((error as Error).message, /silent for too long/);
  assert.equal(words, 10);
});

test('while silence is expected nothing ends; after it the line has its time again', async () => {
  const line = new PassThrough();
  const watch = watchSilence(line, 30);
  watch.expect(true);
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(line.destroyed, false);
  watch.expect(false);
  await once(line, 'error');
});
