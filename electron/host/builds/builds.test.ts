/** A folder's way to an engine, which is a small HTTP server here. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { after, before, beforeEach, test } from 'node:test';
import { extract } from 'tar-stream';
import type { BuildOrder, BuildSending } from '../../contract/builds.ts';
import { createEngineClient, type EngineClient } from '../engine-client.ts';
import { type Builds, createBuilds } from './builds.ts';
import { openOrderList } from './order-list.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-builds-'));
const folder = join(directory, 'app');
const socket = join(directory, 'engine.sock');
const list = join(directory, 'builds.json');
let server: Server;
let engine: EngineClient;
let builds: Builds;
/** What the engine was asked, and what it answers. */
let asked: { url: URL; files: string[] }[] = [];
let secrets: unknown;
let answer: (body: string[]) => { status: number; text: string };
/** Called when a build's client has gone before its end. */
let gone = () => {};
let holdsBack = false;

before(async () => {
  mkdirSync(folder);
  writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY a /\n');
  writeFileSync(join(folder, 'a'), 'content');
  server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://engine');
    if (request.method === 'PUT') {
      secrets = { path: url.pathname, body: await json(request) };
      response.writeHead(204).end();
      return;
    }
    response.once('close', () => response.writableFinished || gone());
    const files = await namesIn(request);
    asked.push({ url, files });
    if (holdsBack) {
      response.writeHead(200).flushHeaders();
      return;
    }
    const { status, text } = answer(files);
    response.writeHead(status).end(text);
  }).listen(socket);
  engine = createEngineClient(async () => connect(socket));
});
after(() => {
  engine.close();
  server.close();
  rmSync(directory, { recursive: true });
});
beforeEach(() => {
  asked = [];
  secrets = undefined;
  holdsBack = false;
  answer = () => ({ status: 200, text: '{"stream":"done"}\r\n{"aux":{"ID":"sha256:1"}}\r\n' });
  builds = createBuilds(openOrderList(list));
});

async function namesIn(request: IncomingMessage): Promise<string[]> {
  const names: string[] = [];
  const reader = extract();
  reader.on('entry', (header, stream, next) => {
    names.push(header.name);
    void buffer(stream).then(() => next());
  });
  await pipeline(request, reader);
  return names;
}

const order = (ref: string, part: Partial<BuildOrder> = {}): BuildOrder => ({
  ref,
  folder,
  dockerfile: 'Dockerfile',
  names: ['app:1', 'app:2'],
  arguments: {},
  secrets: [],
  noCache: false,
  pull: false,
  ...part,
});

async function watched(ref: string): Promise<BuildSending[]> {
  const told: BuildSending[] = [];
  for await (const sending of builds.watch(ref, new AbortController().signal)) told.push(sending);
  return told;
}

test('a folder is sent with what was chosen, and its sending is told to the end', async () => {
  const chosen = { target: 'app', platform: 'linux/arm64', arguments: { V: '3' }, noCache: true };
  await builds.start('local', engine, order('one', chosen));
  const told = await watched('one');
  assert.equal(told[0]?.state, 'sending');
  assert.deepEqual(told.at(-1), { state: 'ended', files: 2, bytes: 29 });
  const [request] = asked;
  assert.deepEqual(request?.files, ['Dockerfile', 'a']);
  assert.equal(request?.url.pathname, '/build');
  assert.deepEqual(Object.fromEntries(request.url.searchParams), {
    ...{ version: '1', rm: '1', buildid: 'one', dockerfile: 'Dockerfile', t: 'app:2' },
    ...{ target: 'app', platform: 'linux/arm64', buildargs: '{"V":"3"}', nocache: '1' },
  });
  assert.deepEqual(request.url.searchParams.getAll('t'), ['app:1', 'app:2']);
});

test('what the engine says of a failure is the last word', async () => {
  answer = () => ({
    status: 200,
    text: '{"stream":"x"}\r\n{"errorDetail":{"message":"no luck"},"error":"no luck"}\r\n',
  });
  await builds.start('local', engine, order('fails'));
  assert.equal((await watched('fails')).at(-1)?.failure, 'no luck');
  answer = () => ({ status: 400, text: '{"message":"no such thing"}' });
  await builds.start('local', engine, order('refused'));
  assert.equal((await watched('refused')).at(-1)?.failure, 'no such thing');
});

test('a file that cannot be read ends the build with its path', async () => {
  const loop = join(directory, 'broken');
  mkdirSync(loop);
  writeFileSync(join(loop, '.dockerignore'), '[');
  await builds.start('local', engine, order('broken', { folder: loop }));
  assert.match((await watched('broken')).at(-1)?.failure ?? '', /syntax error in pattern/);
});

test('a cancelled build hangs up, and is no failure', async () => {
  holdsBack = true;
  const hungUp = new Promise<void>((resolve) => {
    gone = resolve;
  });
  await builds.start('local', engine, order('off'));
  for await (const { state } of builds.watch('off', new AbortController().signal)) {
    if (state === 'building') builds.cancel('off');
    if (state === 'ended') break;
  }
  await hungUp;
  assert.equal((await watched('off')).at(-1)?.failure, undefined);
});

test('secrets go ahead of the build; their values are written nowhere', async () => {
  writeFileSync(join(directory, 'npmrc'), 'from a file');
  const part = {
    secrets: [
      { id: 'npmrc', file: join(directory, 'npmrc') },
      { id: 'token', value: 'hidden' },
    ],
  };
  await builds.start('local', engine, order('with-secrets', part));
  await watched('with-secrets');
  assert.deepEqual(secrets, {
    path: '/corten/v1/builds/with-secrets/secrets',
    body: {
      secrets: {
        npmrc: Buffer.from('from a file').toString('base64'),
        token: Buffer.from('hidden').toString('base64'),
      },
    },
  });
  const [record] = openOrderList(list).on('local');
  assert.deepEqual(record?.secrets, [
    { id: 'npmrc', file: join(directory, 'npmrc') },
    { id: 'token' },
  ]);
  assert.doesNotMatch(readFileSync(list, 'utf8'), /hidden/);
  assert.deepEqual(openOrderList(list).on('elsewhere'), []);
});

test('what cannot be built from is refused before anything is sent', async () => {
  const refused = (part: Partial<BuildOrder>) => builds.start('local', engine, order('no', part));
  await assert.rejects(refused({ folder: 'app' }), /full path/);
  await assert.rejects(refused({ folder: join(directory, 'none') }), /There is no folder/);
  await assert.rejects(refused({ folder: join(folder, 'a') }), /is no folder/);
  await assert.rejects(refused({ dockerfile: '../Dockerfile' }), /not inside/);
  const gone = { id: 'x', file: join(directory, 'none') };
  await assert.rejects(refused({ secrets: [gone] }), /The secret x cannot be read/);
  assert.deepEqual(asked, []);
});

test('a build that nobody knows has ended', async () => {
  assert.deepEqual(await watched('unknown'), [{ state: 'ended', files: 0, bytes: 0 }]);
});
