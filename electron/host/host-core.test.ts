/** The whole host side against a real SSH server in a process of its own. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DuplexChannels } from '../contract/bridge.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import { createBuilds } from './builds/builds.ts';
import { openOrderList } from './builds/order-list.ts';
import { nativeForwarding } from './forwarding/forwarding.ts';
import { createHostCore } from './host-core.ts';
import { createMachine } from './machine/lifecycle.ts';
import type { Machine } from './machine/machine.ts';
import { createMachines } from './machine-list/machines.ts';
import { type NativeMachineOptions, nativeBackend } from './native-linux/backend.ts';
import { openFolderList } from './shared-folders/folder-list.ts';
import { createFolderSharing } from './shared-folders/share-folders.ts';
import { HostKeyMismatch, openConnection } from './ssh/connection.ts';

type TerminalMessage = DuplexChannels['terminal.open']['toRenderer'];

const directory = mkdtempSync(join(tmpdir(), 'corten-host-'));
const fakeAgent = join(import.meta.dirname, 'native-linux/testdata/fake-agent.ts');
const paths = { rootDirectory: join(directory, 'root'), runDirectory: join(directory, 'run') };
const opened: string[] = [];
let machine: Machine;
let host: HostChannels;

before(async () => {
  const machines = createMachines({
    own: [{ id: 'local', name: 'This computer', kind: 'native' }],
    factories: {
      native: () => ({
        backend: nativeBackend({ agentCommand: [process.execPath, fakeAgent], ...paths }),
        forwarding: nativeForwarding({
          apiSocketPath: join(paths.runDirectory, 'docker.sock'),
          contextName: 'corten',
          environment: { DOCKER_CONFIG: join(directory, 'docker') },
        }),
      }),
    },
    file: join(directory, 'machines.json'),
  });
  machine = machines.get('local');
  const list = openFolderList(join(directory, 'folders.json'));
  host = createHostCore({
    machines,
    folders: { list, sharing: createFolderSharing({ list }) },
    builds: createBuilds(openOrderList(join(directory, 'builds.json'))),
    facts: { shell: 'browser', platform: 'linux', version: '0' },
    openAddress: async (url) => void opened.push(url),
  });
  const state = await host.requests['machine.start']({ machine: 'local' });
  assert.equal(state.status, 'running', JSON.stringify(state));
});

after(async () => {
  await machine.stop();
  rmSync(directory, { recursive: true, force: true });
});

test('a start goes through its stages, with their times', () => {
  const { stages } = machine.state();
  assert.deepEqual(
    stages.map(({ id, status }) => [id, status]),
    [
      ['agent', 'done'],
      ['connect', 'done'],
      ['engine', 'done'],
    ],
  );
  for (const { elapsedMs } of stages) assert.equal(typeof elapsedMs, 'number');
});

test('this computer’s own engine has nothing to set', async () => {
  const asked = { machine: 'local' };
  assert.equal(await host.requests['machine.settings'](asked), undefined);
  await assert.rejects(host.requests['machine.change']({ ...asked, settings: { cpus: 1 } }), {
    name: 'NothingToSet',
  });
});

test('a request has its status, headers and body', async () => {
  const missing = await host.requests['engine.request']({
    machine: 'local',
    method: 'GET',
    path: '/missing',
  });
  assert.equal(missing.status, 404);
  assert.equal(missing.headers['content-type'], 'application/json');
  assert.match(text(missing.body), /No such container/);
  const echoed = await host.requests['engine.request']({
    machine: 'local',
    method: 'POST',
    path: '/x',
    body: 'hi',
  });
  assert.equal(text(echoed.body), 'hi');
});

test('many requests at once all get their own answer', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      host.requests['engine.request']({
        machine: 'local',
        method: 'POST',
        path: '/x',
        body: `n${index}`,
      }),
    ),
  );
  assert.deepEqual(
    answers.map(({ body }) => text(body)),
    Array.from({ length: 50 }, (_, index) => `n${index}`),
  );
});

test('a stream gives its head, then data; aborting it stops the engine', async () => {
  const abort = new AbortController();
  const items = host.streams['engine.stream'](
    { machine: 'local', method: 'GET', path: '/ticks' },
    abort.signal,
  );
  const iterator = items[Symbol.asyncIterator]();
  const first = await iterator.next();
  assert.equal('head' in first.value && first.value.head.status, 200);
  const second = await iterator.next();
  assert.ok('data' in second.value);
  assert.equal((await figures()).openStreams, 1);
  abort.abort();
  assert.equal((await iterator.next()).done, true);
  while ((await figures()).openStreams > 0);
});

test('a stream that nobody reads holds the engine back', async () => {
  const abort = new AbortController();
  const items = host.streams['engine.stream'](
    { machine: 'local', method: 'GET', path: '/flood' },
    abort.signal,
  );
  const iterator = items[Symbol.asyncIterator]();
  await iterator.next();
  const written = await settled(async () => (await figures()).writtenBytes);
  assert.ok(written < 12 * 1024 * 1024, `${written} bytes of 50 MiB were taken`);
  let received = 0;
  for (let item = await iterator.next(); !item.done; item = await iterator.next())
    received += 'data' in item.value ? item.value.data.length : 0;
  assert.equal(received, 800 * 64 * 1024);
});

test('an answer that ends with its connection is read to its end, however slowly', async () => {
  const sent = 150_000;
  const items = host.streams['engine.stream'](
    {
      machine: 'local',
      method: 'POST',
      path: '/x',
      headers: { connection: 'close' },
      body: 'b'.repeat(sent),
    },
    new AbortController().signal,
  );
  let received = 0;
  for await (const item of items) {
    received += 'data' in item ? item.data.length : 0;
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  assert.equal(received, sent);
});

test('a terminal echoes, resizes, and says how the shell ended', async () => {
  const terminal = await openTerminal('web');
  terminal.line.receive({ resize: { rows: 30, columns: 90 } });
  terminal.line.receive({ data: bytes('stty size; printf "\\033[31mred"; exit 4\n') });
  await terminal.line.ended;
  assert.match(terminal.output(), /24 80/);
  assert.match(terminal.output(), /\x1b\[31mred/);
  assert.deepEqual(terminal.exit(), { code: 4, signal: undefined });
});

test('a terminal that floods waits for its screen', async () => {
  const terminal = await openTerminal('web');
  terminal.line.receive({ data: bytes('head -c 50000000 /dev/zero | tr "\\0" z; exit\n') });
  const ahead = await settled(async () => terminal.bytes());
  assert.ok(ahead > 0 && ahead < 1024 * 1024, `${ahead} bytes were sent without an ack`);
  let acked = 0;
  const acks = setInterval(() => {
    const drawn = terminal.bytes();
    terminal.line.receive({ ack: drawn - acked });
    acked = drawn;
  }, 1);
  await terminal.line.ended;
  clearInterval(acks);
  assert.ok(terminal.bytes() >= 50_000_000);
});

test('a terminal in a container that does not exist says so and ends', async () => {
  const terminal = await openTerminal('nobody');
  await terminal.line.ended;
  assert.match(terminal.output(), /No such container: nobody/);
  assert.equal(terminal.exit()?.code, 127);
});

test('an impostor with another host key is refused by name', async () => {
  const stranger = readFileSync(join(paths.rootDirectory, 'ssh', 'client_ed25519.pub'), 'utf8');
  await assert.rejects(
    openConnection({ ...machine.endpoint(), hostPublicKey: stranger }, 'api'),
    HostKeyMismatch,
  );
});

test("the docker CLI's context leads to the engine's own socket", async () => {
  const { requests, streams } = host;
  const local = { machine: 'local' };
  const socket = `unix://${join(paths.runDirectory, 'docker.sock')}`;
  assert.equal((await requests['context.state'](local)).isSetUp, false);
  const set = await requests['context.setUp']({ ...local, use: true });
  assert.deepEqual([set.isSetUp, set.isCurrent, set.host], [true, true, socket]);
  assert.equal((await requests['context.remove'](local)).isCurrent, false);
  // Ports of this computer's own engine are its kernel's: there is nothing to tell of them.
  const stop = new AbortController();
  for await (const ports of streams['ports.watch'](local, stop.signal)) {
    assert.deepEqual(ports, []);
    stop.abort();
  }
});

test('only web addresses are opened', async () => {
  await host.requests['shell.open']('http://localhost:8080/');
  await assert.rejects(host.requests['shell.open']('file:///etc/passwd'), /Only http and https/);
  await assert.rejects(host.requests['shell.open']('javascript:alert(1)'), /Only http and https/);
  assert.deepEqual(opened, ['http://localhost:8080/']);
});

test('another app attaches to the agent that runs, and leaves it running', async () => {
  const second = createNativeMachine({ agentCommand: ['/bin/false'], ...paths });
  assert.equal((await second.start()).status, 'running');
  assert.equal((await second.stop()).status, 'stopped');
  const answer = await host.requests['engine.request']({
    machine: 'local',
    method: 'GET',
    path: '/_ping',
  });
  assert.equal(answer.status, 200);
});

test('a lost agent shows, and the machine is back when the agent is', async () => {
  const own = { rootDirectory: join(directory, 'root2'), runDirectory: join(directory, 'run2') };
  const pidFile = join(directory, 'pid');
  const wrapper = join(directory, 'agent.sh');
  writeFileSync(wrapper, `echo $$ > ${pidFile}; exec '${process.execPath}' '${fakeAgent}' "$@"\n`);
  const fragile = createNativeMachine({ agentCommand: ['sh', wrapper], ...own });
  assert.equal((await fragile.start()).status, 'running');
  const abort = new AbortController();
  const states = fragile.watch(abort.signal);
  process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
  // First perhaps that it cannot be reached, but in the end that it is over, and why.
  for await (const { status, failure } of states)
    if (status === 'failed' && failure?.stage === 'agent') {
      assert.match(failure.cause, /The engine ended: it was killed by SIGKILL/);
      assert.equal(failure.lost, true);
      break;
    }
  const again = await fragile.start();
  assert.equal(again.status, 'running', JSON.stringify(again));
  const answer = await fragile.engine().request({ method: 'GET', path: '/_ping' });
  assert.equal(answer.status, 200);
  await fragile.stop();
  assert.throws(() => fragile.engine(), { name: 'MachineNotRunning' });
});

test('an agent that cannot start: stage, cause and next step', async () => {
  const broken = createNativeMachine({
    agentCommand: [process.execPath, fakeAgent, '--fail'],
    rootDirectory: join(directory, 'root3'),
    runDirectory: join(directory, 'run3'),
  });
  const { status, failure } = await broken.start();
  assert.equal(status, 'failed');
  assert.equal(failure?.stage, 'agent');
  assert.match(failure?.cause ?? '', /ended with code 3\. corten: the kernel has no overlayfs/);
  assert.match(failure?.nextStep ?? '', /agent\.log/);
});

test('a start that takes too long can be cancelled, and leaves no agent', async () => {
  const pidFile = join(directory, 'slow-pid');
  const slow = createNativeMachine({
    agentCommand: ['sh', '-c', `echo $$ > ${pidFile}; exec sleep 600`],
    rootDirectory: join(directory, 'root4'),
    runDirectory: join(directory, 'run4'),
  });
  const starting = slow.start();
  while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '')
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await slow.stop()).status, 'stopped');
  assert.equal((await starting).status, 'failed');
  assert.throws(() => process.kill(Number(readFileSync(pidFile, 'utf8')), 0), { code: 'ESRCH' });
});

function createNativeMachine(options: NativeMachineOptions): Machine {
  return createMachine({ backend: nativeBackend(options) });
}

async function openTerminal(container: string) {
  const messages: TerminalMessage[] = [];
  let length = 0;
  const line = await host.duplexes['terminal.open'](
    { machine: 'local', container, rows: 24, columns: 80, term: 'xterm-256color' },
    (message) => {
      if ('data' in message) length += message.data.length;
      messages.push(message);
    },
  );
  return {
    line,
    bytes: () => length,
    output: () => messages.map((each) => ('data' in each ? text(each.data) : '')).join(''),
    exit: () => messages.map((each) => ('exit' in each ? each.exit : undefined)).at(-1),
  };
}

async function figures(): Promise<{ openStreams: number; writtenBytes: number }> {
  const { body } = await host.requests['engine.request']({
    machine: 'local',
    method: 'GET',
    path: '/figures',
  });
  return JSON.parse(text(body));
}

/** Waits until a figure has stopped changing. */
async function settled(figure: () => Promise<number>): Promise<number> {
  let last = -1;
  for (let same = 0; same < 6; ) {
    const now = await figure();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return last;
}

function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

function bytes(characters: string): Uint8Array {
  return new TextEncoder().encode(characters);
}
