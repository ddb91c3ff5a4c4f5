/** A pseudo-terminal stands for a machine's port; it takes no root to make one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { ReadStream } from 'node:tty';
import { CharDevice } from './char-device.ts';
import { nameOfDescriptor, openDirectory, withFd } from './files.ts';
import { openTerminal } from './pty.ts';

function terminal(t: TestContext) {
  const { masterFd, slaveFd } = withFd(openDirectory('/dev/pts'), openTerminal);
  const path = nameOfDescriptor(slaveFd);
  closeSync(slaveFd);
  const device = new CharDevice(path);
  t.after(() => device.close());
  const host = new ReadStream(masterFd);
  host.on('error', () => {});
  t.after(() => host.destroy());
  return { device, host };
}

test('bytes go both ways, also those that waited before the stream was there', async (t) => {
  const { device, host } = terminal(t);
  const stream = device.connect();
  assert.ok(stream);
  host.write('one\n');
  assert.match(String((await once(stream, 'data'))[0]), /one/);
  stream.write('two\n');
  let heard = '';
  while (!heard.includes('two')) heard += (await once(host, 'data'))[0];
  stream.destroy();
  await once(stream, 'close');
  host.write('three\n');
  const next = device.connect();
  assert.ok(next);
  assert.match(String((await once(next, 'data'))[0]), /three/);
  next.destroy();
});

test('the other end leaves: the stream ends, and there is no new one', async (t) => {
  const { device, host } = terminal(t);
  const stream = device.connect();
  assert.ok(stream);
  stream.on('error', () => {});
  stream.once('end', () => stream.destroy());
  stream.resume();
  host.destroy();
  await once(stream, 'close');
  assert.equal(device.connect(), undefined);
});

test('to look again and again whether somebody has come takes no memory', async (t) => {
  const { device, host } = terminal(t);
  device.connect()?.destroy();
  host.destroy();
  await once(host, 'close');
  const before = process.memoryUsage().arrayBuffers;
  for (let times = 0; times < 40; times++) assert.equal(device.connect(), undefined);
  const taken = process.memoryUsage().arrayBuffers - before;
  assert.ok(taken < 512 * 1024, `${taken} bytes`);
});

test('a device that is not there is named', () => {
  assert.throws(() => new CharDevice('/dev/corten-not-there').connect(), /corten-not-there/);
});
