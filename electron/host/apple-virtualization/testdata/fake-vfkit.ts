/**
 * A stand-in for vfkit: its command line checked option by option as pkg/config and pkg/cmdline do,
 * its control service, its ends. What it follows: https://github.com/crc-org/vfkit/tree/main
 * (doc/usage.md, cmd/vfkit/main.go, pkg/config/virtio.go, pkg/rest).
 *
 * On "boot" it takes the keys from the seed disk, starts the agent's stand-in, and writes to the
 * console what the guest writes. `behaviour.json` beside the console's file says what goes wrong;
 * `asked.jsonl` there holds each command line and each change of state.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseVfkit, Refused } from './fake-vfkit-words.ts';

interface Behaviour {
  /** Written to standard error before it ends with 1, before the machine runs. */
  dies?: string;
  /** The control service never comes up. */
  mute?: true;
  /** In place of the usual console. */
  console?: string[];
  /** The framework reports an error in place of a start. */
  error?: true;
  /** The guest has nobody at its power button. */
  ignoresButton?: true;
}

const version = process.env.FAKE_VFKIT_VERSION ?? 'v0.6.3';
const words = process.argv.slice(2);
if (words.includes('--version')) {
  process.stdout.write(`vfkit version: ${version}\n`);
  process.exit(0);
}

let agent: ChildProcess | undefined;
let state = 'Starting';
const guest = mkdtempSync(join(tmpdir(), 'vf-'));
process.once('exit', () => {
  agent?.kill('SIGKILL');
  rmSync(guest, { recursive: true, force: true });
});

try {
  run();
} catch (error) {
  if (!(error instanceof Refused)) throw error;
  process.stderr.write(`Error: ${error.message}\nUsage:\n  vfkit [flags]\n${error.message}\n`);
  process.exit(1);
}

function run(): void {
  const vm = parseVfkit(words);
  const place = dirname(vm.consoleLog);
  const behaviour = read(join(place, 'behaviour.json')) as Behaviour;
  const record = (what: object) =>
    appendFileSync(join(place, 'asked.jsonl'), `${JSON.stringify(what)}\n`);
  record({ pid: process.pid, words });
  if (behaviour.dies !== undefined) {
    process.stderr.write(behaviour.dies);
    process.exit(1);
  }
  process.on('SIGTERM', () => powerOff(behaviour));
  if (behaviour.mute !== true) serveControl(vm.controlSocket, behaviour, record);
  if (behaviour.error === true) {
    process.stderr.write('hypervisor virtualization error\n');
    setTimeout(() => process.exit(1), 50);
    return;
  }
  state = 'Running';
  exposeVsock(vm.sshSocket);
  boot(vm.seed, vm.consoleLog, vm.vsockPort, behaviour);
}

function boot(seed: string, consoleLog: string, port: number, behaviour: Behaviour): void {
  const say = (line: string) => appendFileSync(consoleLog, `${line}\r\n`);
  if (behaviour.console !== undefined) {
    for (const line of behaviour.console) say(line);
    return;
  }
  const content = readFileSync(seed);
  const end = content.indexOf(0);
  const facts = JSON.parse(content.toString('utf8', 0, end < 0 ? content.length : end)) as {
    hostKey: string;
    authorizedKeys: string[];
    agentArguments: string[];
  };
  const keys = join(guest, 'root', 'ssh');
  mkdirSync(keys, { recursive: true });
  writeFileSync(join(keys, 'host_ed25519'), facts.hostKey, { mode: 0o600 });
  writeFileSync(join(keys, 'authorized_keys'), facts.authorizedKeys.join('\n'), { mode: 0o600 });
  // An agent that listens on another port is not reached.
  const option = facts.agentArguments.indexOf('--ssh-vsock');
  const listens = option >= 0 && facts.agentArguments[option + 1] === String(port);
  for (const stage of ['root-disk', 'system', 'data-disk', 'agent'])
    say(`corten: stage ${stage} 1`);
  // A virtual machine ends with its process, also when that is killed.
  agent = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'KILL', process.execPath],
      '--disable-warning=ExperimentalWarning',
      join(import.meta.dirname, '../../native-linux/testdata/fake-agent.ts'),
      ...['--root', join(guest, 'root'), '--run', join(guest, listens ? 'run' : 'elsewhere')],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  agent.stdout?.on('data', (piece: Buffer) => say(piece.toString('utf8').trimEnd()));
}

/** A connection to the socket is one to the guest's port, and ends at once where nobody listens. */
function exposeVsock(path: string): void {
  createServer((host) => {
    const line = connect(join(guest, 'run', 'ssh.sock'));
    host.on('error', () => line.destroy());
    line.on('error', () => host.destroy());
    host.pipe(line).pipe(host);
  })
    // It only warns of a socket that it cannot make (cmd/vfkit/main.go).
    .on('error', (error) => process.stderr.write(`error exposing vsock port: ${error.message}\n`))
    .listen(path);
}

function serveControl(path: string, behaviour: Behaviour, record: (what: object) => void): void {
  createHttpServer(async (incoming, response) => {
    const answer = (status: number, body?: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(body === undefined ? '' : JSON.stringify(body));
    };
    if (incoming.url === '/vm/inspect') return answer(200, { vcpus: 1 });
    if (incoming.url !== '/vm/state') return answer(404);
    if (incoming.method === 'GET') return answer(200, stateAnswer());
    let text = '';
    for await (const piece of incoming) text += piece;
    let wanted: string;
    try {
      wanted = (JSON.parse(text) as { state: string }).state;
    } catch (error) {
      return answer(400, { error: (error as Error).message });
    }
    record({ change: wanted });
    const refusal = change(wanted, behaviour);
    if (refusal === undefined) answer(202);
    else answer(500, { error: refusal });
  })
    .on('error', (error) => {
      process.stderr.write(`level=fatal msg="listen unix ${path}: bind: ${error.message}"\n`);
      process.exit(1);
    })
    .listen(path);
}

function stateAnswer(): object {
  return {
    state: `VirtualMachineState${state}`,
    canStart: state === 'Stopped',
    canPause: state === 'Running',
    canResume: state === 'Paused',
    canStop: state === 'Running',
    canHardStop: state === 'Running' || state === 'Paused',
  };
}

/** Undefined when it is under way, else the framework's refusal. */
function change(wanted: string, behaviour: Behaviour): string | undefined {
  switch (wanted) {
    case 'Pause':
      if (state !== 'Running') return 'Invalid virtual machine state transition.';
      agent?.kill('SIGSTOP');
      state = 'Paused';
      return undefined;
    case 'Resume':
      if (state !== 'Paused') return 'Invalid virtual machine state transition.';
      agent?.kill('SIGCONT');
      state = 'Running';
      return undefined;
    case 'Stop':
      if (state !== 'Running') return 'Invalid virtual machine state transition.';
      powerOff(behaviour);
      return undefined;
    case 'HardStop':
      state = 'Stopped';
      setImmediate(() => process.exit(0));
      return undefined;
    default:
      return `invalid new VMState: ${wanted}`;
  }
}

function powerOff({ ignoresButton }: Behaviour): void {
  if (ignoresButton === true) return;
  state = 'Stopping';
  const off = () => {
    state = 'Stopped';
    process.exit(0);
  };
  if (agent === undefined || agent.exitCode !== null) off();
  else {
    agent.once('exit', off);
    agent.kill('SIGTERM');
  }
}

function read(path: string): object {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}
