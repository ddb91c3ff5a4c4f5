/** A remote host for tests (remote-host.sh), and what is on it. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../../agent/network/testdata/free-port.ts';

export interface RemoteHost {
  address: string;
  port: number;
  /** A home whose `.ssh` opens the host: a key, and nothing known of it. */
  home: string;
  /** As `known_hosts` has it. */
  hostKey: string;
  /** Runs on the host as root, and gives back what it says. */
  run(script: string): string;
  /** Everything that was written to the host and is there now. */
  files(): string[];
  /** Cuts all logins off; the host goes on. */
  cutOff(): void;
  /** Connections are still accepted, by the kernel, and nobody answers. */
  pause(isPaused: boolean): void;
  stop(): Promise<void>;
}

/**
 * `ownNetwork`: with addresses of its own; else what listens there listens on this computer. `sftp`:
 * whether its sshd has that.
 */
export async function startRemoteHost({
  ownNetwork = false,
  sftp = true,
} = {}): Promise<RemoteHost> {
  const directory = mkdtempSync(join(tmpdir(), 'corten-remote-'));
  const home = join(directory, 'home');
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  const key = (path: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path]);
  key(join(directory, 'host_key'));
  key(join(home, '.ssh', 'id_ed25519'));
  writeFileSync(
    join(directory, 'authorized_keys'),
    readFileSync(join(home, '.ssh', 'id_ed25519.pub')),
  );
  const port = await freePort();
  const script = join(import.meta.dirname, 'remote-host.sh');
  const log: string[] = [];
  const host = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', ...(ownNetwork ? ['--net'] : [])],
      ...[script, directory, ownNetwork ? '0.0.0.0' : '127.0.0.1', String(port)],
      ...(sftp ? ['sftp'] : []),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  host.stderr.on('data', (text) => log.push(String(text)));
  let address = '127.0.0.1';
  try {
    if (ownNetwork) address = await wireTo(host);
    await answers(host, { host: address, port }, log);
  } catch (error) {
    await end(host);
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  const inside = insideOf(host);
  const enter = ['--target', String(inside), '--mount', '--pid', '--net'];
  const run = (text: string) =>
    execFileSync('nsenter', [...enter, 'sh', '-c', text], { encoding: 'utf8' }).trim();
  return {
    address,
    port,
    home,
    hostKey: readFileSync(join(directory, 'host_key.pub'), 'utf8'),
    run,
    files: () => {
      const upper = execFileSync(
        'nsenter',
        [...enter, 'find', join('/mnt', directory, 'rw/upper'), '!', '-type', 'd'],
        { encoding: 'utf8' },
      );
      const others = run('find /run /tmp /var/lib /opt -xdev');
      return `${upper}${others}`.trim().split('\n').sort();
    },
    cutOff: () => run('pkill -f "^sshd-session:" || true'),
    pause: (isPaused) => void process.kill(inside, isPaused ? 'SIGSTOP' : 'SIGCONT'),
    async stop() {
      await end(host);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface Place {
  host: string;
  port: number;
}

/** A network of two for the host and this computer; both ends go with the host's namespace. */
async function wireTo(host: ChildProcess): Promise<string> {
  const { pid = 0 } = host;
  const own = readlinkSync('/proc/self/ns/net');
  while (readlinkSync(`/proc/${pid}/ns/net`) === own) await sleep(5);
  // A range for measurements (RFC 2544), which no network that people have is in.
  const at = (last: number) => `198.18.${(pid >> 6) & 255}.${((pid & 63) << 2) + last}`;
  const there = ['nsenter', `--net=/proc/${pid}/ns/net`, 'ip'];
  for (const [program = '', ...words] of [
    ['ip', 'link', 'add', `wire${pid}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `${pid}`],
    ['ip', 'addr', 'add', `${at(1)}/30`, 'dev', `wire${pid}`],
    ['ip', 'link', 'set', `wire${pid}`, 'up'],
    [...there, 'link', 'set', 'lo', 'up'],
    [...there, 'addr', 'add', `${at(2)}/30`, 'dev', 'eth0'],
    [...there, 'link', 'set', 'eth0', 'up'],
  ])
    execFileSync(program, words);
  return at(2);
}

/** sshd itself: the first process of its namespace. */
function insideOf(host: ChildProcess): number {
  const children = readFileSync(`/proc/${host.pid}/task/${host.pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

async function answers(host: ChildProcess, place: Place, log: string[]): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    if (host.exitCode !== null || performance.now() > deadline)
      throw new Error(`The remote host did not start: ${log.join('')}`);
    if (await greets(place)) return;
    await sleep(20);
  }
}

function greets(place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(place);
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('end', () => answer(false));
  });
}

async function end(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const gone = new Promise((resolve) => host.once('exit', resolve));
  // unshare's own end takes its child, and with it all processes of the namespace.
  host.kill('SIGKILL');
  await gone;
}
