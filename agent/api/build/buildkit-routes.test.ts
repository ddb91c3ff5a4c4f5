/** The upgrade to HTTP/2 over a real socket, as docker's DialHijack sends it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, test } from 'node:test';
import { patienceMs } from '../../e2e/patience.ts';
import { type Api, createApi } from '../server.ts';
import { call } from '../testdata/call.ts';
import { fakeBackends } from '../testdata/fake-backend.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';
import type { BuildBackend, SessionHeaders } from './backend.ts';

const patience = { timeout: patienceMs };
const sessions: SessionHeaders[] = [];
const unused = () => {
  throw new Error('not part of these tests');
};

/** Sends back what comes, after a first word that says which route it was. */
function echo(word: string, connection: Duplex): void {
  connection.write(word);
  connection.pipe(connection);
}

const build: BuildBackend = {
  build: unused,
  cancel: unused,
  serveControl: (connection) => echo('control ', connection),
  serveSession: (connection, session) => {
    sessions.push(session);
    echo('session ', connection);
  },
  usage: unused,
  prune: unused,
};

let api: Api;
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'corten-buildkit-'));
  api = createApi({ ...fakeBackends(), build }, { productVersion: '0.1.0', report: () => {} });
  await api.listen(join(directory, 'docker.sock'));
});
after(async () => {
  await api.close();
  await rm(directory, { recursive: true });
});

async function exchange(text: string, enough: RegExp): Promise<string> {
  const socket: Socket = connect(join(directory, 'docker.sock'));
  socket.write(text);
  let received = '';
  while (!enough.test(received)) {
    const [data] = (await once(socket, 'data')) as [Buffer];
    received += data.toString('latin1');
  }
  socket.destroy();
  return received;
}

const upgraded = (path: string, ...headers: string[]) =>
  [`POST ${path} HTTP/1.1`, 'Host: docker', 'Connection: Upgrade', ...headers, '', ''].join('\r\n');

test('grpc turns into a bare connection, with what was sent along at once', patience, async () => {
  const answer = await exchange(`${upgraded('/grpc', 'Upgrade: h2c')}PRI early`, /early$/);
  assert.match(answer, /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  assert.match(answer, /\r\nUpgrade: h2c\r\n/);
  assert.match(answer, /\r\n\r\ncontrol PRI early$/);
});

test('session brings its headers', patience, async () => {
  sessions.length = 0;
  const name = 'X-Docker-Expose-Session-';
  const head = upgraded(
    '/v1.45/session',
    'Upgrade: h2c',
    `${name}Uuid: abc`,
    `${name}Name: folder`,
    `${name}Sharedkey: key`,
    `${name}Grpc-Method: /moby.filesync.v1.FileSync/DiffCopy`,
    `${name}Grpc-Method: /grpc.health.v1.Health/Check`,
  );
  await exchange(`${head}hello`, /session hello$/);
  const methods = ['/moby.filesync.v1.FileSync/DiffCopy', '/grpc.health.v1.Health/Check'];
  assert.deepEqual(sessions, [{ id: 'abc', name: 'folder', sharedKey: 'key', methods }]);
});

test('without h2c, and a session without an id, are refused', patience, async () => {
  const refused = await exchange(upgraded('/grpc', 'Upgrade: tcp'), /\}\s*$/);
  assert.match(refused, /^HTTP\/1\.1 400 [\s\S]*protocol tcp not supported/);
  const plain = await call(api.app, 'POST /grpc');
  assert.deepEqual([plain.status, plain.body], [400, { message: 'no upgrade proto in request' }]);
  const nameless = await exchange(upgraded('/session', 'Upgrade: h2c'), /\}\s*$/);
  assert.match(nameless, /^HTTP\/1\.1 400 [\s\S]*Session-Uuid/);
});

test('ping and version say 2 where there is a builder, and 1 where there is none', async () => {
  for (const line of ['GET /_ping', 'HEAD /_ping', 'GET /version']) {
    assert.equal((await call(api.app, line)).headers['builder-version'], '2', line);
    const without = await call(createFakeApi().api.app, line);
    assert.equal(without.headers['builder-version'], '1', line);
  }
});
