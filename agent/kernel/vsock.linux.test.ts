/** Listening on a socket that Node does not know; a connection over vsock itself takes a host. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { libcCall } from './libc.ts';
import { listenInPlace, listenOnVsock } from './vsock.ts';

const { O_NONBLOCK } = constants;
const FIONBIO = 0x5421;
// In the guest of scripts/vm-image it can be loaded, and brings vsock itself with it.
spawnSync('modprobe', ['-q', 'vsock_loopback']);
const skip = existsSync('/dev/vsock') ? false : 'this kernel has no vsock';

test('a vsock port is listened on, and only once', { skip }, async (t) => {
  const port = 40_000 + (process.pid % 20_000);
  const [server, second] = [createServer(), createServer()];
  t.after(() => server.close());
  listenOnVsock(server, port);
  await once(server, 'listening');
  assert.ok(flagsOf(server) & O_NONBLOCK, 'accepting never waits');
  assert.throws(() => listenOnVsock(second, port), { code: 'EADDRINUSE', call: 'bind' });
  server.close();
  await once(server, 'close');
  listenOnVsock(second, port);
  second.close();
});

test('connections come in where another socket has taken the place', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'vsock-'));
  const path = join(directory, 'line.sock');
  const address = Buffer.alloc(110);
  address.writeUInt16LE(1, 0);
  address.write(path, 2);
  const line = libcCall('socket', ['int', 'int', 'int'])(path, 1, 1, 0);
  libcCall('bind', ['int', 'void *', 'int'])(path, line, address, address.length);
  const server = createServer((socket) => socket.pipe(socket));
  listenInPlace(server, line, path);
  closeSync(line);
  const clients = [connect(path), connect(path)];
  assert.deepEqual(await Promise.all(clients.map(echo)), ['hello', 'hello']);
  server.close();
  rmSync(directory, { recursive: true });
});

test('a connection over vsock itself, within this machine', { skip: skipLoopback() }, async () => {
  const server = createServer((socket) => socket.pipe(socket));
  const port = 60_000 + (process.pid % 5_000);
  listenOnVsock(server, port);
  await once(server, 'listening');
  assert.equal(await echo(connectToVsock(port)), 'hello');
  // More than any buffer on the way holds.
  const sent = randomBytes(4_000_001);
  const client = connectToVsock(port);
  client.end(sent);
  const back: Buffer[] = [];
  for await (const piece of client as AsyncIterable<Buffer>) back.push(piece);
  assert.ok(Buffer.concat(back).equals(sent));
  server.close();
});

/** Of the open file that a server listens on, as open(2) has them. */
function flagsOf(server: Server): number {
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  return Number.parseInt(flags ?? '0', 8);
}

function skipLoopback(): string | false {
  return existsSync('/sys/module/vsock_loopback') ? false : 'this kernel has no vsock_loopback';
}

/** As the host's side does, from here: address 1 is this machine itself (vsock(7)). */
function connectToVsock(port: number): Socket {
  const subject = `vsock port ${port}`;
  const line = libcCall('socket', ['int', 'int', 'int'])(subject, 40, 1, 0);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(40, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(1, 8);
  libcCall('connect', ['int', 'void *', 'int'])(subject, line, address, address.length);
  // Both ends are this thread's: what is full must say so, and not wait for the other end.
  libcCall('ioctl', ['int', 'ulong', 'void *'])(subject, line, FIONBIO, Buffer.from([1, 0, 0, 0]));
  const pair = Buffer.alloc(8);
  libcCall('socketpair', ['int', 'int', 'int', 'void *'])(subject, 1, 1, 0, pair);
  const shown = pair.readInt32LE(0);
  closeSync(pair.readInt32LE(4));
  const client = new Socket({ fd: shown, allowHalfOpen: true });
  libcCall('dup3', ['int', 'int', 'int'])(subject, line, shown, 0);
  closeSync(line);
  return client;
}

async function echo(client: Socket): Promise<string> {
  client.end('hello');
  let text = '';
  for await (const piece of client) text += piece;
  return text;
}
