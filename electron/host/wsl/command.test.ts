import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { callWsl } from './command.ts';

test('what is fed and breaks off fails the call, and is not taken for whole', async () => {
  const torn = Readable.from(
    (async function* () {
      yield 'the first half';
      throw new Error('the system is damaged');
    })(),
  );
  // It says that it has all, and takes a while for that.
  const wsl = ['/bin/sh', '-c', 'cat; sleep 0.2; echo whole >&2'] as const;
  await assert.rejects(callWsl(wsl, [], { input: torn }), /the system is damaged/);
  // What nobody was told of would end the app.
  await sleep(1);
});

test('who ends before it has read all says why', async () => {
  const wsl = ['/bin/sh', '-c', 'echo enough; exit 3'] as const;
  const answer = await callWsl(wsl, [], { input: Readable.from([Buffer.alloc(1024 * 1024)]) });
  assert.deepEqual(answer, { code: 3, output: 'enough' });
});

test('a wsl.exe that does not end is ended, and says how to go on', async () => {
  const hangs = ['/bin/sh', '-c', 'exec sleep 600', 'wsl'] as const;
  await assert.rejects(callWsl(hangs, ['--list'], { timeoutMs: 1000 }), {
    name: 'StageFailure',
    message: '"wsl --list" had not ended after 1 seconds.',
    nextStep: /wsl --shutdown/,
  });
});
