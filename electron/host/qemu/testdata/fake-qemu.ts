/**
 * A fake QEMU that runs no machine. It takes the real command line, speaks QMP on the same sockets,
 * writes a guest's console, and runs the real SSH server in the guest's place. Its failures come from
 * `behaviour.json` beside its seed; the requests it gets are appended to `asked.jsonl`.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createLine, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { dnsService } from '../../../../agent/contract/dns-service.ts';
import { outsidePortsService } from '../../../../agent/contract/outside-ports.ts';

interface Behaviour {
  version?: string;
  /** It writes this to its standard error and ends with code 1. */
  dies?: string;
  /** The same, but only where it is started with an accelerator. */
  diesAccelerated?: string;
  /** It does not speak QMP until a file of this name exists. */
  speaksOnceThere?: string;
  /** The part that never answers: QEMU itself, its SSH server, or its engine. */
  silentAt?: string;
  /** It refuses the channels of the app's services, such as DNS. */
  refusesServices?: boolean;
  /** How many connections begin with bytes of an earlier session. */
  garbledLines?: number;
  /** How many connections to its SSH server get no answer. */
  silentLines?: number;
  /** The console ends with these lines, and then nothing follows. */
  console?: string[];
  /** It ends once a file `end` exists. */
  endsAfterConsole?: boolean;
  /** It ignores the power button. */
  deaf?: boolean;
  refusesRestore?: boolean;
}

const lines = new Set<Socket>();
/** Bytes from the middle of an earlier SSH session. */
const garbage = Buffer.alloc(100_000, 'x\0y');

/** An engine without containers. */
const answers: Record<string, string> = {
  '/containers/json': '[]',
  '/images/json': '[]',
  '/version': '{"Version":"0","ApiVersion":"1.47","MinAPIVersion":"1.24"}',
  '/corten/v1/machine/abilities': '{"root":true,"abilities":[]}',
  '/corten/v1/machine/figures': '{"memoryUsedBytes":1234}',
  '/corten/v1/machine/trim': '{"trimmedBytes":1}',
};

const words = process.argv.slice(2);
const all = (option: string) => words.filter((_, index) => words[index - 1] === option);

if (words.includes('--version')) {
  const version = process.env.FAKE_QEMU_VERSION ?? '10.0.13';
  process.stdout.write(`QEMU emulator version ${version} (fake)\nCopyright\n`);
  process.exit(0);
}

const seedPath = fileOf('seed');
const directory = dirname(seedPath);
const behaviourFile = join(directory, 'behaviour.json');
const behaviour: Behaviour = existsSync(behaviourFile)
  ? JSON.parse(readFileSync(behaviourFile, 'utf8'))
  : {};
const consoleLog = chardevOf('console', 'path');
const asked = join(directory, 'asked.jsonl');
note({ started: words, pid: process.pid });

const isAccelerated = all('-accel')[0] !== undefined && !all('-accel')[0]?.startsWith('tcg');
const lastLines = behaviour.dies ?? (isAccelerated ? behaviour.diesAccelerated : undefined);
if (lastLines !== undefined) {
  process.stderr.write(lastLines);
  process.exit(1);
}

const restores = words.includes('-incoming');
let release = () => {};
const guestListens = Promise.withResolvers<string>();
await serveSshLine(chardevOf('ssh', 'path'));
while (behaviour.speaksOnceThere !== undefined && !existsSync(behaviour.speaksOnceThere))
  await new Promise((resolve) => setTimeout(resolve, 5));
// The last lines are written before any timeout can end.
writeConsole(behaviour.console ?? []);
if (behaviour.silentAt !== 'vm') await serveQmp(chardevOf('qmp', 'path'));
if (restores)
  await new Promise<void>((resolve) => {
    release = resolve;
  });
await bootGuest();

function fileOf(node: string): string {
  const nodes = all('-blockdev').map((text) => JSON.parse(text));
  return nodes.find((each) => each['node-name'] === node).file.filename;
}

function chardevOf(id: string, key: string): string {
  const text = all('-chardev').find((each) => each.includes(`,id=${id},`)) ?? '';
  return new RegExp(`,${key}=([^,]+)`).exec(text)?.[1] ?? '';
}

function note(what: object): void {
  appendFileSync(asked, `${JSON.stringify(what)}\n`);
}

async function serveQmp(path: string): Promise<void> {
  rmSync(path, { force: true });
  const server = createLine((line) => {
    const [major, minor, micro] = (process.env.FAKE_QEMU_VERSION ?? '10.0.13')
      .split('.')
      .map(Number);
    note({ dialled: 'qmp' });
    send(line, { QMP: { version: { qemu: { major, minor, micro } }, capabilities: [] } });
    let rest = '';
    line.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) answer(line, JSON.parse(text));
    });
    line.on('error', () => {});
    lines.add(line);
    line.on('close', () => lines.delete(line));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  holdOnceFull();
}

/** While a file `full` exists, the guest's writes fail with ENOSPC. */
function isFull(): boolean {
  return existsSync(join(directory, 'full'));
}

function holdOnceFull(): void {
  const timer = setInterval(() => {
    if (!isFull()) return;
    clearInterval(timer);
    tellHeld();
  }, 5);
}

function tellHeld(): void {
  const data = { 'node-name': 'data', operation: 'write', action: 'stop', nospace: true };
  for (const line of lines)
    send(line, { event: 'BLOCK_IO_ERROR', data: { ...data, reason: 'No space left on device' } });
}

function send(line: Socket, message: object): void {
  line.write(`${JSON.stringify(message)}\r\n`);
}

function answer(
  line: Socket,
  {
    execute,
    arguments: given,
    id,
  }: { execute: string; arguments: Record<string, unknown>; id: number },
): void {
  note({ execute, given });
  const done = (value: unknown = {}) => send(line, { return: value, id });
  if (execute === 'query-kvm') done({ enabled: false, present: true });
  else if (execute === 'query-migrate') done({ status: 'completed' });
  else if (execute === 'migrate') {
    writeFileSync(String(given.uri).slice('file:'.length), 'memory');
    done();
  } else if (execute === 'migrate-incoming') {
    if (behaviour.refusesRestore)
      send(line, { error: { class: 'GenericError', desc: 'no such device in the stream' }, id });
    else done();
  } else if (execute === 'cont') {
    // The check comes before the answer, because the test may remove the file as soon as it has that.
    const isHeldAgain = isFull();
    release();
    done();
    if (isHeldAgain) tellHeld();
  } else if (execute === 'quit') {
    done();
    line.end(() => process.exit(0));
  } else if (execute === 'system_powerdown') {
    done();
    if (!behaviour.deaf) line.end(() => process.exit(0));
  } else done();
}

function writeConsole(texts: readonly string[]): void {
  for (const text of texts) appendFileSync(consoleLog, `${text}\r\n`);
}

async function bootGuest(): Promise<void> {
  if (behaviour.endsAfterConsole)
    setInterval(() => existsSync(join(directory, 'end')) && process.exit(0), 5);
  if (behaviour.console !== undefined) return;
  writeConsole(['corten: stage root-disk 1.2', 'corten: stage agent 2.0']);
  const seed = JSON.parse(readFileSync(seedPath, 'utf8').replace(/\0+$/, ''));
  const keys = join(directory, 'guest');
  mkdirSync(keys, { recursive: true });
  const hostKeyPath = join(keys, 'host');
  const authorizedKeysPath = join(keys, 'authorized');
  writeFileSync(hostKeyPath, seed.hostKey, { mode: 0o600 });
  writeFileSync(authorizedKeysPath, `${seed.authorizedKeys.join('\n')}\n`, { mode: 0o600 });
  // The services stay connected and send nothing; without them the app would retry all the time.
  const quietSocketPath = join(dirname(chardevOf('ssh', 'path')), 'quiet.sock');
  const apiSocketPath = join(dirname(chardevOf('ssh', 'path')), 'api.sock');
  // The SSH server is loaded late, because most fake machines end before they need it.
  const { openShellOverExec } = await import('../../../../agent/ssh/exec-shells.ts');
  const { createSshServer } = await import('../../../../agent/ssh/server.ts');
  const { HostExec } = await import('../../../../agent/ssh/testdata/host-exec.ts');
  const server = createSshServer({
    hostKeyPath,
    authorizedKeysPath,
    apiSocketPath,
    // A real guest has one connection on its serial port; this socket takes more than one.
    sockets: {
      'ssh.sock': async () => chardevOf('ssh', 'path'),
      ...(!behaviour.refusesServices && {
        [dnsService]: async () => quietSocketPath,
        [outsidePortsService]: async () => quietSocketPath,
      }),
    },
    backend: { openShell: openShellOverExec(new HostExec()), isContainerAddress: () => false },
  });
  await serveApi(apiSocketPath);
  await listenOn(
    createLine((line) => line.on('error', () => {})),
    quietSocketPath,
  );
  const answering = join(dirname(chardevOf('ssh', 'path')), 'answering.sock');
  await server.listen({ path: answering });
  guestListens.resolve(answering);
  appendFileSync(consoleLog, '{"event":"ready"}\r\n');
}

/** Connections are accepted from the beginning, and served once the guest has booted. */
async function serveSshLine(path: string): Promise<void> {
  let silentLines = behaviour.silentAt === 'connect' ? Infinity : (behaviour.silentLines ?? 0);
  let garbledLines = behaviour.garbledLines ?? 0;
  const line = createLine((outer) => {
    outer.on('error', () => {});
    if (silentLines-- > 0) outer.resume();
    else if (garbledLines-- > 0) outer.write(garbage);
    else
      void guestListens.promise.then((place) => {
        const inner = connect(place).on('error', () => outer.destroy());
        outer.pipe(inner).pipe(outer);
      });
  });
  await listenOn(line, path);
}

async function serveApi(path: string): Promise<void> {
  const api = createServer((incoming, response) => {
    note({ request: `${incoming.method} ${incoming.url}` });
    if (incoming.method === 'PUT')
      incoming.on('data', (data) => note({ put: incoming.url, body: String(data) }));
    const path = incoming.url?.replace(/^\/v\d\.\d+|\?.*$/g, '') ?? '';
    if (behaviour.silentAt === 'engine') return;
    response.setHeader('API-Version', '1.47');
    if (path.endsWith('/trim')) punch(fileOf('data'));
    // The stream stays open and carries nothing.
    if (path === '/events') response.writeHead(200).flushHeaders();
    else response.end(answers[path] ?? '{}');
  });
  await listenOn(api, path);
}

async function listenOn(server: Server, path: string): Promise<void> {
  rmSync(path, { force: true });
  await new Promise<void>((resolve) => server.listen(path, resolve));
}

/** A trim that frees the whole disk. */
function punch(disk: string): void {
  const { size } = statSync(disk);
  truncateSync(disk, 0);
  truncateSync(disk, size);
}
