/** Main, preload and page joined as Electron joins them, with node's message ports in between. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { askForPort, type HandshakeEvent, offerPort } from '../contract/handshake.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import { createMessagePortBridge, type PagePort } from '../contract/message-port-bridge.ts';
import { serveBridge } from './bridge-ipc.ts';

test('a request and a stream cross from the page to the host and back', async () => {
  const { bridge, close } = joined('app://corten');
  assert.deepEqual(await bridge.request('shell.facts'), {
    shell: 'electron',
    platform: 'linux',
    version: '1',
  });
  const seen: unknown[] = [];
  for await (const item of bridge.stream('engine.stream', {
    machine: 'local',
    method: 'GET',
    path: '/x',
  }))
    seen.push(item);
  assert.deepEqual(seen, [
    { head: { status: 200, headers: {} } },
    { data: new Uint8Array([1, 2, 3]) },
  ]);
  close();
});

test('losing the host ends what is open by name, and shows', async () => {
  const { bridge, close } = joined('app://corten');
  const connected: boolean[] = [];
  bridge.onConnection((is) => connected.push(is));
  const watching = bridge.stream('machines.watch', null)[Symbol.asyncIterator]();
  await watching.next();
  const next = watching.next();
  close();
  await assert.rejects(next, { name: 'Disconnected' });
  assert.deepEqual(connected, [false, true, false]);
});

test('a page of another origin, or a frame in ours, gets no bridge', async () => {
  for (const sender of [
    { origin: 'https://evil.example', parent: null },
    { origin: 'app://corten', parent: {} },
  ]) {
    const ipc = new EventEmitter();
    let started = false;
    const port = Object.assign(new EventEmitter(), {
      start: () => {
        started = true;
      },
    });
    serveBridge(ipc as never, host);
    ipc.emit('corten:bridge', { ports: [port], senderFrame: sender });
    assert.equal(started, false);
    assert.equal(port.listenerCount('message'), 0);
  }
});

test('bytes that are no frame close the port', () => {
  const ipc = new EventEmitter();
  let closed = 0;
  const port = Object.assign(new EventEmitter(), {
    start: () => {},
    close: () => {
      closed += 1;
    },
  });
  serveBridge(ipc as never, host);
  ipc.emit('corten:bridge', {
    ports: [port],
    senderFrame: { origin: 'app://corten', parent: null },
  });
  port.emit('message', { data: new Uint8Array([99]) });
  port.emit('message', { data: { type: 'request' } });
  assert.equal(closed, 2);
});

test('the port is given once, and only to the window itself', async () => {
  const page = new FakeWindow();
  const { port1, port2 } = new MessageChannel();
  offerPort(page, 'app://corten', port1);
  page.deliver({ data: 'corten:bridge?', source: 'an iframe', ports: [] });
  assert.equal(page.given, 0);
  assert.equal(await askForPort(page, 'app://corten'), port1);
  page.postMessage('corten:bridge?', 'app://corten');
  assert.equal(page.given, 1);
  port2.close();
});

function joined(origin: string) {
  const { port1, port2 } = new MessageChannel();
  const ipc = new EventEmitter();
  serveBridge(ipc as never, host);
  ipc.emit('corten:bridge', { ports: [mainPort(port2)], senderFrame: { origin, parent: null } });
  const page = new FakeWindow();
  offerPort(page, origin, port1);
  const bridge = createMessagePortBridge(
    askForPort(page, origin).then((port) => port as unknown as PagePort),
  );
  return { bridge, close: () => port2.close() };
}

/** MessagePortMain wraps the data in an event, as a page's port does. */
function mainPort(port: MessagePort) {
  const main = Object.assign(new EventEmitter(), {
    postMessage: (data: unknown) => port.postMessage(data),
    close: () => port.close(),
    start: () => {
      port.on('message', (data) => main.emit('message', { data }));
      port.on('close', () => main.emit('close'));
    },
  });
  return main;
}

/** A window that hears its own messages at once. */
class FakeWindow {
  given = 0;
  readonly #listeners = new Set<(event: HandshakeEvent<MessagePort>) => void>();

  addEventListener(_type: 'message', listener: (event: HandshakeEvent<MessagePort>) => void) {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'message', listener: (event: HandshakeEvent<MessagePort>) => void) {
    this.#listeners.delete(listener);
  }

  postMessage(message: string, _origin: string, transfer: MessagePort[] = []) {
    if (transfer.length > 0) this.given += 1;
    this.deliver({ data: message, source: this, ports: transfer });
  }

  deliver(event: HandshakeEvent<MessagePort>) {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

const host = {
  requests: {
    'shell.facts': async () => ({ shell: 'electron', platform: 'linux', version: '1' }),
  },
  streams: {
    async *'engine.stream'() {
      yield { head: { status: 200, headers: {} } };
      yield { data: Buffer.from([1, 2, 3]) };
    },
    async *'machines.watch'(_request: null, signal: AbortSignal) {
      yield { machines: [], kinds: [], notices: [] };
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
    },
  },
  duplexes: {},
} as unknown as HostChannels;
