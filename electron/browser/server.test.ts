/** The request guard, the headers and the bridge over a real port, as a browser and as an attacker. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { WebSocket } from 'ws';
import { until } from '../../agent/e2e/until.ts';
import type { Bridge, BridgeError } from '../contract/bridge.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import { createWebSocketBridge } from '../contract/web-socket-bridge.ts';
import { openRendererFiles, type RendererFiles } from '../host/renderer-files.ts';
import { type BrowserShell, serveBrowserShell } from './server.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-browser-'));
let files: RendererFiles;
let fake: FakeHost;
let shell: BrowserShell;
let origin: string;

before(() => {
  mkdirSync(join(directory, 'renderer', 'assets'), { recursive: true });
  writeFileSync(join(directory, 'renderer', 'index.html'), '<!doctype html><title>Corten</title>');
  writeFileSync(join(directory, 'renderer', 'assets', 'index-1a.js'), 'export {};');
  writeFileSync(join(directory, 'secret'), 'secret');
  files = openRendererFiles(join(directory, 'renderer'));
});

after(() => rmSync(directory, { recursive: true, force: true }));

beforeEach(async () => {
  fake = new FakeHost();
  shell = await serveBrowserShell({ port: 0, files, host: fake.channels });
  origin = `http://127.0.0.1:${shell.port}`;
});

afterEach(() => shell.close());

test('the token works once, and the cookie from then on', async () => {
  const first = await get(shell.address);
  assert.equal(first.status, 303);
  assert.equal(first.headers.location, '/');
  const [cookie = ''] = first.headers['set-cookie'] ?? [];
  assert.match(cookie, /; HttpOnly; SameSite=Strict; Path=\/$/);
  assert.equal((await get(shell.address)).status, 403);
  const session = { cookie: cookie.split(';')[0]! };
  assert.equal((await get(`${origin}/`, session)).status, 200);
  assert.equal((await get(`${origin}/`, session)).status, 200);
  // The same browser with the same bookmark is let in by its cookie.
  assert.equal((await get(shell.address, session)).status, 303);
});

test('without the cookie, or with another, nothing is served', async () => {
  const wrong = { cookie: `corten-${shell.port}=AAAA` };
  for (const path of ['/', '/assets/index-1a.js', '/bridge', '/enter', '/enter?token=x'])
    for (const headers of [{}, wrong]) {
      const { status, body } = await get(`${origin}${path}`, headers);
      assert.equal(status, 403, path);
      assert.match(body, /another browser or has expired\. Run "scripts\/corten open"/);
    }
});

test('a foreign Host or Origin is refused, cookie or not', async () => {
  const session = await enter();
  assert.equal((await get(`${origin}/`, { ...session, host: 'evil.example' })).status, 421);
  assert.equal((await get(`${origin}/`, { ...session, host: '127.0.0.1' })).status, 421);
  assert.equal(
    (await get(`${origin}/`, { ...session, origin: 'http://evil.example' })).status,
    403,
  );
  assert.equal((await get(`${origin}/`, { ...session, origin: 'null' })).status, 403);
  assert.equal((await get(`${origin}/`, { ...session, origin })).status, 200);
});

test('pages carry the policy, assets are immutable, other paths do not exist', async () => {
  const session = await enter();
  const page = await get(`${origin}/`, session);
  const policy = page.headers['content-security-policy'] as string;
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'(;|$)/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  assert.equal(page.headers['cache-control'], 'no-store');
  const asset = await get(`${origin}/assets/index-1a.js`, session);
  assert.match(asset.headers['cache-control'] as string, /immutable/);
  assert.match(asset.headers['content-type'] as string, /javascript/);
  for (const path of [
    '/../secret',
    '/assets/%2e%2e/%2e%2e/secret',
    '/..%2fsecret',
    '//',
    '/nothing',
  ])
    assert.notEqual((await get(`${origin}${path}`, session)).status, 200, path);
  assert.equal((await send('POST', `${origin}/`, session)).status, 405);
});

test('what the next build replaces on disk is still there for a page that is open', async () => {
  const old = openRendererFiles(join(directory, 'renderer'));
  const index = old.read('/')?.bytes.toString();
  assert.ok(index);
  const moved = join(directory, 'moved');
  renameSync(join(directory, 'renderer'), moved);
  try {
    assert.equal(old.read('/')?.bytes.toString(), index);
  } finally {
    renameSync(moved, join(directory, 'renderer'));
  }
});

test('a taken port and a missing build say what to do', async () => {
  await assert.rejects(
    serveBrowserShell({ port: shell.port, files, host: fake.channels }),
    /Port \d+ of 127\.0\.0\.1 is taken.*--port/,
  );
  assert.throws(() => openRendererFiles(join(directory, 'nowhere')), /npm run build/);
});

test('a WebSocket needs the cookie and our own Origin', async () => {
  const session = await enter();
  assert.equal(await upgrade({ origin }), 403);
  assert.equal(await upgrade(session), 403);
  assert.equal(await upgrade({ ...session, origin: 'http://evil.example' }), 403);
  assert.equal(await upgrade({ ...session, origin: `http://localhost:${shell.port}` }), 403);
  assert.equal(await upgrade({ ...session, origin, host: `evil.example:${shell.port}` }), 403);
  assert.equal(await upgrade({ ...session, origin }), 101);
});

test('a broken frame ends the connection and nothing else', async () => {
  const session = await enter();
  for (const frame of [Buffer.from([99, 1, 2]), 'text']) {
    const socket = new WebSocket(bridgeUrl(), { headers: { ...session, origin } });
    await new Promise((resolve) => socket.once('open', resolve));
    socket.send(frame);
    assert.equal(await new Promise((resolve) => socket.once('close', resolve)), 1002);
  }
  assert.equal((await get(`${origin}/`, session)).status, 200);
});

test('requests, failures and unknown channels cross the bridge', async () => {
  const bridge = await openBridge();
  const response = await bridge.request('engine.request', {
    machine: 'local',
    method: 'GET',
    path: '/x',
  });
  assert.equal(response.status, 200);
  assert.equal(new TextDecoder().decode(response.body), '/x');
  await assert.rejects(bridge.request('machine.stop', { machine: 'local' }), {
    name: 'NoStop',
    message: 'It goes on.',
  });
  const anyChannel = bridge.request as (channel: string) => Promise<unknown>;
  await assert.rejects(anyChannel('constructor'), /no channel "constructor"/);
  bridge.close();
});

test('a stream runs ahead by its window only, and arrives whole and in order', async () => {
  const bridge = await openBridge();
  let received = 0;
  let furthest = 0;
  let next = 0;
  for await (const item of bridge.stream('engine.stream', {
    machine: 'local',
    method: 'GET',
    path: '/flood',
  })) {
    if (!('data' in item)) continue;
    assert.equal(item.data[0], next++ % 256);
    received += item.data.length;
    // A slow consumer, now and then.
    if (next % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    furthest = Math.max(furthest, fake.produced - received);
  }
  assert.equal(received, 50 * 1024 * 1024);
  assert.ok(furthest <= 1024 * 1024, `${furthest} bytes ahead`);
  bridge.close();
});

test('leaving a stream, aborting it, or losing the page stops the host', async () => {
  const bridge = await openBridge();
  for await (const _ of bridge.stream('machines.watch', null)) break;
  await until(() => fake.watching === 0 && fake.watched === 1);

  const abort = new AbortController();
  const aborted = (async () => {
    for await (const _ of bridge.stream('machines.watch', null, abort.signal));
  })();
  await until(() => fake.watching === 1);
  abort.abort();
  await aborted;
  await until(() => fake.watching === 0);

  const lost = (async () => {
    for await (const _ of bridge.stream('machines.watch', null));
  })();
  lost.catch(() => {});
  await until(() => fake.watching === 1);
  bridge.close();
  await until(() => fake.watching === 0);
  await assert.rejects(lost, { name: 'Disconnected' });
});

test('a duplex goes both ways and says how it ended', async () => {
  const bridge = await openBridge();
  const heard: unknown[] = [];
  const request = { machine: 'local', container: 'web', rows: 1, columns: 2, term: 'xterm' };
  const ended = Promise.withResolvers<BridgeError | undefined>();
  const line = await bridge.duplex('terminal.open', request, (m) => heard.push(m), ended.resolve);
  line.send({ data: new Uint8Array([7, 8]) });
  line.send({ resize: { rows: 3, columns: 4 } });
  assert.equal(await ended.promise, undefined);
  assert.deepEqual(heard, [{ data: new Uint8Array([7, 8]) }, { exit: { code: 3 } }]);
  bridge.close();
});

test('after a break everything open fails by name, and the bridge connects again', async () => {
  const bridge = await openBridge();
  const seen: boolean[] = [];
  await bridge.request('machine.state', { machine: 'local' });
  bridge.onConnection((connected) => seen.push(connected));
  const stream = (async () => {
    for await (const _ of bridge.stream('machines.watch', null));
  })();
  const ended = Promise.withResolvers<BridgeError | undefined>();
  const request = { machine: 'local', container: 'web', rows: 1, columns: 2, term: 'xterm' };
  await bridge.duplex('terminal.open', request, () => {}, ended.resolve);
  await until(() => fake.watching === 1);
  FakeBrowser.cut();
  await assert.rejects(stream, { name: 'Disconnected' });
  assert.equal((await ended.promise)?.name, 'Disconnected');
  assert.equal((await bridge.request('machine.state', { machine: 'local' })).status, 'running');
  assert.deepEqual(seen, [true, false, true]);
  bridge.close();
});

/** node's own WebSocket sends neither cookie nor Origin; a browser does. */
class FakeBrowser extends WebSocket {
  static headers: Record<string, string> = {};
  static #last: FakeBrowser | undefined;

  constructor(url: string) {
    super(url, { headers: FakeBrowser.headers });
    FakeBrowser.#last = this;
  }

  static cut(): void {
    FakeBrowser.#last?.terminate();
  }
}

async function openBridge(): Promise<Bridge & { close(): void }> {
  FakeBrowser.headers = { ...(await enter()), origin };
  globalThis.WebSocket = FakeBrowser as unknown as typeof globalThis.WebSocket;
  return createWebSocketBridge(bridgeUrl());
}

function bridgeUrl(): string {
  return `ws://127.0.0.1:${shell.port}/bridge`;
}

async function enter(): Promise<{ cookie: string }> {
  const { headers } = await get(shell.address);
  return { cookie: headers['set-cookie']![0]!.split(';')[0]! };
}

function get(url: string, headers: Record<string, string> = {}) {
  return send('GET', url, headers);
}

/** Not fetch: that sets Host by itself and tidies the path. */
function send(method: string, url: string, headers: Record<string, string>) {
  const path = url.slice(origin.length);
  return new Promise<{ status: number; headers: IncomingMessage['headers']; body: string }>(
    (resolve, reject) => {
      const outgoing = request(
        { method, host: '127.0.0.1', port: shell.port, path, headers },
        (response) => {
          let body = '';
          response.on('data', (data) => {
            body += data;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
          );
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    },
  );
}

function upgrade(headers: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const socket = new WebSocket(bridgeUrl(), { headers });
    socket.on('open', () => {
      socket.close();
      resolve(101);
    });
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.on('error', () => {});
  });
}

const noContext = { name: 'corten', host: '', isSetUp: false, isCurrent: false };

class FakeHost {
  produced = 0;
  watching = 0;
  watched = 0;

  readonly channels: HostChannels = {
    requests: {
      'engine.request': async ({ path }) => ({
        status: 200,
        headers: {},
        body: new TextEncoder().encode(path),
      }),
      'machine.state': async () => ({ status: 'running', kind: 'native', stages: [] }),
      'machine.start': async () => ({ status: 'running', kind: 'native', stages: [] }),
      'machine.stop': async () => {
        throw Object.assign(new Error('It goes on.'), { name: 'NoStop' });
      },
      'machine.answer': async () => {},
      'machine.rename': async () => {},
      'machine.moveTo': async () => {},
      'machine.footprint': async () => ({ items: [], runningContainers: 0 }),
      'machine.remove': async () => {},
      'machine.settings': async () => undefined,
      'machine.change': async () => {
        throw new Error('Nothing to set.');
      },
      'machine.choose': async () => {},
      'machine.diagnostics': async () => ({ files: [], body: new Uint8Array() }),
      'machines.add': async (machine) => ({ ...machine, id: 'new' }),
      'context.state': async () => noContext,
      'context.setUp': async () => noContext,
      'context.remove': async () => noContext,
      'folders.add': async () => {},
      'folders.remove': async () => {},
      'build.start': async () => {},
      'build.cancel': async () => {},
      'build.orders': async () => [],
      'build.folder': async () => ({ suggestions: [], dockerfiles: [] }),
      'shell.chooseFolder': async () => undefined,
      'shell.facts': async () => ({ shell: 'browser', platform: 'linux', version: '0' }),
      'shell.open': async () => {},
    },
    streams: {
      'engine.stream': () => this.#flood(),
      'machines.watch': (_request, signal) => this.#watch(signal),
      'folders.watch': async function* () {},
      'build.watch': async function* () {},
      'ports.watch': async function* () {},
      'machine.figures': async function* () {},
      'machine.compact': async function* () {},
    },
    duplexes: {
      'terminal.open': async (_request, emit) => {
        const ended = Promise.withResolvers<void>();
        return {
          receive(message) {
            if ('data' in message) emit({ data: message.data });
            else if ('resize' in message) {
              emit({ exit: { code: message.resize.rows } });
              ended.resolve();
            }
          },
          close: () => ended.resolve(),
          ended: ended.promise,
        };
      },
    },
  };

  async *#flood() {
    yield { head: { status: 200, headers: {} } };
    const size = 64 * 1024;
    for (let piece = 0; piece < 800; piece++) {
      this.produced += size;
      yield { data: new Uint8Array(size).fill(piece % 256) };
    }
  }

  async *#watch(signal: AbortSignal) {
    this.watching += 1;
    this.watched += 1;
    try {
      yield { machines: [], kinds: [], notices: [] };
      if (!signal.aborted)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    } finally {
      this.watching -= 1;
    }
  }
}
