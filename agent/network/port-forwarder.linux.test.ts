/** The process that passes on what comes to published ports, between two networks of this test's own. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { listenTo } from '../kernel/internet-socket.ts';
import { findRecordedProcess } from '../kernel/recorded-process.ts';
import { PortForwarder } from './port-forwarder.ts';
import { enterPrivateMachine, makeNamespace, type TestNamespace } from './testdata/sandbox.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-ports-'));
const programPath = resolve(import.meta.dirname, '../../dist/shim/shim');
const inside = { echo: 7001, shout: 7002, nobody: 7003, udp: 7004 };
let containers: TestNamespace;
let forwarder: PortForwarder;
const stops: (() => void)[] = [];
/** Where each is reached on the machine's side. */
const reached = new Map<string, number>();

before(async () => {
  enterPrivateMachine();
  containers = makeNamespace();
  containers.run('ip link set lo up');
  const { echo, shout, udp } = inside;
  stops.push(
    containers.start(`socat TCP-LISTEN:${echo},fork,reuseaddr EXEC:cat`),
    // Answers only once the client has ended its side.
    containers.start(`socat -t 30 TCP-LISTEN:${shout},fork,reuseaddr SYSTEM:"tr a-z A-Z"`),
    containers.start(`socat UDP-RECVFROM:${udp},fork EXEC:cat`),
  );
  forwarder = new PortForwarder({ programPath, namespaceFd: containers.networkFd, directory });
  start('web');
  await answering('echo');
});
after(() => {
  forwarder.stop('web');
  forwarder.close();
  for (const stop of stops) stop();
  containers.close();
  rmSync(directory, { recursive: true });
});

function start(container: string): void {
  const ports = Object.entries(inside).map(([name, containerPort], index) => {
    const protocol = name === 'udp' ? 'udp' : 'tcp';
    const hostPort = 8000 + index;
    reached.set(name, hostPort);
    const socketFd = listenTo(protocol, '0.0.0.0', hostPort);
    const containerAddress = '127.0.0.1';
    return {
      mapping: { protocol, hostAddress: '0.0.0.0', hostPort, containerAddress, containerPort },
      socketFd,
    } as const;
  });
  forwarder.start(container, ports);
  for (const { socketFd } of ports) closeSync(socketFd);
}

function dial(name: string): Socket {
  return connect(reached.get(name) ?? 0, '127.0.0.1');
}

async function everything(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of socket) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Until the server behind a port is up. */
async function answering(name: string): Promise<void> {
  for (;;) {
    const socket = dial(name);
    socket.end('x');
    const got = await everything(socket).catch(() => Buffer.alloc(0));
    if (got.length > 0) return;
  }
}

test('bytes come back as they were sent, also many, and in many connections at once', async () => {
  const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
  const exchange = async () => {
    const socket = dial('echo');
    socket.end(sent);
    assert.ok((await everything(socket)).equals(sent));
  };
  await Promise.all(Array.from({ length: 12 }, exchange));
});

test('one side may end before the other', async () => {
  await answering('shout');
  const socket = connect({
    port: reached.get('shout') ?? 0,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  socket.end('half');
  assert.equal(String(await everything(socket)), 'HALF');
});

test('a port that nobody listens on refuses', async () => {
  const socket = dial('nobody');
  socket.resume();
  const [error] = await once(socket, 'error');
  assert.match(String(error), /ECONNRESET|ECONNREFUSED/);
});

test('datagrams come back to who sent them', async () => {
  const answers = Array.from({ length: 5 }, async (_, index) => {
    const socket = createSocket('udp4');
    const text = `datagram ${index}`;
    const timer = setInterval(() => socket.send(text, reached.get('udp'), '127.0.0.1'), 50);
    const [answer, from] = await once(socket, 'message');
    clearInterval(timer);
    socket.close();
    assert.equal(from.port, reached.get('udp'));
    assert.equal(String(answer), text);
  });
  await Promise.all(answers);
});

test('it outlives its agent, which finds it again and ends it', async () => {
  const later = new PortForwarder({ programPath, namespaceFd: containers.networkFd, directory });
  assert.ok(later.isRunning('web'));
  later.keepOnly(new Set(['web']));
  await answering('echo');
  later.keepOnly(new Set());
  assert.ok(!later.isRunning('web'));
  assert.equal(findRecordedProcess(join(directory, 'web')), undefined);
  later.close();
  const [error] = await once(dial('echo').resume(), 'error');
  assert.match(String(error), /ECONNREFUSED/);
});
