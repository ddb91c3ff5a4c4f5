/** The whole chain: page's bridge, WebSocket, host core, SSH, and a process in another program. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WebSocket } from 'ws';
import type { BrowserShell } from './browser/server.ts';
import { startBrowserShell } from './browser-shell.ts';
import type { Bridge, DuplexChannels } from './contract/bridge.ts';
import type { MachineState } from './contract/machines.ts';
import { createWebSocketBridge } from './contract/web-socket-bridge.ts';
import { pathsIn } from './paths.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-shell-'));
let shell: BrowserShell;
let bridge: Bridge & { close(): void };

before(async () => {
  const rendererDirectory = join(directory, 'renderer');
  mkdirSync(rendererDirectory);
  writeFileSync(join(rendererDirectory, 'index.html'), '<!doctype html>');
  const fakeAgent = join(import.meta.dirname, 'host/native-linux/testdata/fake-agent.ts');
  shell = await startBrowserShell({
    paths: {
      ...pathsIn(directory),
      rendererDirectory,
      agentCommand: [process.execPath, fakeAgent],
    },
    rootDirectory: join(directory, 'root'),
    runDirectory: join(directory, 'run'),
    machine: 'native',
    port: 0,
    version: '1.2.3',
  });
  const entered = await fetch(shell.address, { redirect: 'manual' });
  const cookie = entered.headers.get('set-cookie')!.split(';')[0]!;
  const origin = `http://127.0.0.1:${shell.port}`;
  globalThis.WebSocket = class extends WebSocket {
    constructor(url: string) {
      super(url, { headers: { cookie, origin } });
    }
  } as unknown as typeof globalThis.WebSocket;
  bridge = createWebSocketBridge(`ws://127.0.0.1:${shell.port}/bridge`);
});

after(async () => {
  bridge.close();
  await shell.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the page watches the machine start, stage by stage', async () => {
  const seen: MachineState['status'][] = [];
  for await (const { machines } of bridge.stream('machines.watch', null)) {
    const status = machines[0]!.state.status;
    seen.push(status);
    if (status === 'running') break;
  }
  assert.ok(!seen.includes('failed'));
  assert.equal((await bridge.request('shell.facts')).version, '1.2.3');
});

test('the engine answers through it all', async () => {
  const { status, body } = await bridge.request('engine.request', {
    machine: 'local',
    method: 'GET',
    path: '/_ping',
  });
  assert.deepEqual([status, new TextDecoder().decode(body)], [200, 'OK']);
});

test('50 MB of terminal output arrive whole while the page acks as it draws', async () => {
  const terminal = await openTerminal();
  terminal.type('stty -echo; head -c 50000000 /dev/zero | tr "\\0" z; exit 0\n');
  assert.deepEqual(await terminal.exit, { code: 0 });
  assert.ok(terminal.count('z') >= 50_000_000);
});

test('one terminal still echoes while another floods', async () => {
  const flooding = await openTerminal();
  const typing = await openTerminal();
  flooding.type('yes flood\n');
  await flooding.until('flood');
  typing.type('echo he""re\n');
  await typing.until('here');
  flooding.line.close();
  typing.line.close();
});

async function openTerminal() {
  const exit = Promise.withResolvers<{ code?: number }>();
  const decoder = new TextDecoder('latin1');
  let tail = '';
  let drawn = 0;
  const counts = new Map<string, number>();
  let line: { send(message: DuplexChannels['terminal.open']['toHost']): void; close(): void };
  let onText = () => {};
  line = await bridge.duplex(
    'terminal.open',
    { machine: 'local', container: 'web', rows: 24, columns: 80, term: 'xterm-256color' },
    (message) => {
      if ('exit' in message) {
        exit.resolve(message.exit);
        return;
      }
      const text = decoder.decode(message.data);
      counts.set('z', (counts.get('z') ?? 0) + text.split('z').length - 1);
      tail = (tail + text).slice(-4096);
      onText();
      drawn += message.data.length;
      // What was drawn before the terminal was open is acked with the next piece.
      line?.send({ ack: drawn });
      if (line !== undefined) drawn = 0;
    },
  );
  return {
    line,
    exit: exit.promise,
    count: (letter: string) => counts.get(letter) ?? 0,
    type: (text: string) => line.send({ data: new TextEncoder().encode(text) }),
    until: (text: string) =>
      new Promise<void>((resolve) => {
        onText = () => {
          if (tail.includes(text)) resolve();
        };
        onText();
      }),
  };
}
