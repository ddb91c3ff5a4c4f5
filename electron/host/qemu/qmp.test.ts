import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { openQmp, type Qmp } from './qmp.ts';

const greeting = { QMP: { version: { qemu: { major: 10, minor: 0, micro: 13 } } } };

/** QEMU's side of the connection: the requests it gets, and its answers. */
function line() {
  const [ours, qemu] = duplexPair();
  const say = (message: object) => qemu.write(`${JSON.stringify(message)}\r\n`);
  qemu.setEncoding('utf8');
  return { ours, qemu, say };
}

async function opened(): Promise<
  ReturnType<typeof line> & { qmp: Qmp; asked: Record<string, unknown>[] }
> {
  const made = line();
  const asked: Record<string, unknown>[] = [];
  made.qemu.on('data', (text: string) => {
    for (const each of text.trim().split('\n')) {
      const message = JSON.parse(each) as { execute: string; id: number };
      if (message.execute === 'qmp_capabilities') made.say({ return: {}, id: message.id });
      else asked.push(message);
    }
  });
  made.say(greeting);
  return { ...made, qmp: await openQmp(made.ours), asked };
}

test('answers find their questions in any order', async () => {
  const { qmp, qemu, say, asked } = await opened();
  assert.deepEqual(qmp.version, [10, 0, 13]);
  const first = qmp.run('query-status');
  const second = qmp.run('stop', { now: true });
  while (asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(asked[1], { execute: 'stop', arguments: { now: true }, id: asked[1]?.id });
  say({ return: 2, id: asked[1]?.id });
  say({ return: 1, id: asked[0]?.id });
  assert.equal(await first, 1);
  assert.equal(await second, 2);
  qemu.end();
});

test('a refusal is an error with QEMU’s words', async () => {
  const { qmp, say, asked } = await opened();
  const refused = qmp.run('block_resize');
  while (asked.length < 1) await new Promise((resolve) => setImmediate(resolve));
  say({ error: { class: 'GenericError', desc: 'Device is in use' }, id: asked[0]?.id });
  await assert.rejects(refused, {
    name: 'QmpError',
    kind: 'GenericError',
    message: 'QEMU refused block_resize: Device is in use',
  });
});

test('events go to their listeners until they stop listening', async () => {
  const { qmp, qemu, say } = await opened();
  const seen: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = qmp.on('SHUTDOWN', (data) => {
    seen.push(data);
    stop();
  });
  qmp.on('LAST', () => resolve());
  say({ event: 'SHUTDOWN', data: { guest: true } });
  say({ event: 'SHUTDOWN', data: { guest: false } });
  say({ event: 'LAST' });
  await promise;
  assert.deepEqual(seen, [{ guest: true }]);
  qemu.end();
});

test('a line that ends fails what is asked, now and later', async () => {
  const { qmp, qemu } = await opened();
  const pending = qmp.run('query-status');
  qemu.end();
  await assert.rejects(pending, { name: 'QmpLost' });
  await qmp.closed;
  await assert.rejects(qmp.run('stop'), { name: 'QmpLost' });
});

test('who says something else, or nothing, is no QEMU', async () => {
  const other = line();
  other.qemu.write('SSH-2.0-OpenSSH\r\n');
  await assert.rejects(openQmp(other.ours), /said something else: SSH-2\.0-OpenSSH/);
  await assert.rejects(openQmp(line().ours, { greetingTimeoutMs: 20 }), /did not answer in time/);
});

test('a question without an answer has an end, and leaves the line to the others', async () => {
  const { ours, qemu, say } = line();
  qemu.on('data', (text: string) => {
    const { execute, id } = JSON.parse(text) as { execute: string; id: number };
    if (execute !== 'stop') say({ return: execute, id });
  });
  say(greeting);
  const qmp = await openQmp(ours, { answerTimeoutMs: 20 });
  await assert.rejects(qmp.run('stop'), /gave no answer to stop/);
  assert.equal(await qmp.run('cont'), 'cont');
  qemu.end();
});
