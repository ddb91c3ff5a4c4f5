import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { ProcessOutput } from './process-output.ts';

/** A real process behind real pipes. */
function run(script: string) {
  const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise((done) => child.once('exit', done));
  const output = new ProcessOutput(
    { stdin: undefined, stdout: child.stdout as Socket, stderr: child.stderr as Socket },
    exited,
  );
  return { child, exited, output };
}

test('all of both streams, however slow the reader', async () => {
  const { output } = run('head -c 3000000 /dev/zero; echo problem >&2');
  const bytes = { stdout: 0, stderr: 0 };
  for await (const { stream, data } of output) {
    bytes[stream] += data.length;
    await new Promise((done) => setImmediate(done));
  }
  assert.deepEqual(bytes, { stdout: 3_000_000, stderr: 8 });
});

test('a process in the background that keeps the pipes open does not keep the output open', async () => {
  const { output } = run('echo done; sleep 20 & echo $!');
  let text = '';
  for await (const { data } of output) text += data;
  const [first, pid] = text.split('\n');
  assert.equal(first, 'done');
  process.kill(Number(pid), 0);
  process.kill(Number(pid));
});

test('when the reader leaves the process is not held up', async () => {
  const { output, exited } = run('head -c 3000000 /dev/zero');
  for await (const _ of output) break;
  assert.equal(await exited, 0);
});
