/** A remote host for tests (remote-host.sh), and what is on it. Needs root. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface RemoteHost {
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
  stop(): Promise<void>;
}

export async function startRemoteHost(): Promise<RemoteHost> {
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
    ['--mount', '--pid', '--fork', '--kill-child', script, directory, String(port)],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  host.stderr.on('data', (text) => log.push(String(text)));
  try {
    await answers(host, port, log);
  } catch (error) {
    await end(host);
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  const inside = insideOf(host);
  const enter = ['--target', String(inside), '--mount', '--pid'];
  const run = (text: string) =>
    execFileSync('nsenter', [...enter, 'chroot', join(directory, 'root'), 'sh', '-c', text], {
      encoding: 'utf8',
    }).trim();
  return {
    port,
    home,
    hostKey: readFileSync(join(directory, 'host_key.pub'), 'utf8'),
    run,
    files: () => {
      const upper = execFileSync(
        'nsenter',
        [...enter, 'find', join(directory, 'rw/upper'), '!', '-type', 'd'],
        { encoding: 'utf8' },
      );
      const others = run('find /run /tmp /var/lib /opt -xdev');
      return `${upper}${others}`.trim().split('\n').sort();
    },
    cutOff: () => run('pkill -f "^sshd-session:" || true'),
    async stop() {
      await end(host);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** sshd itself: the first process of its namespace. */
function insideOf(host: ChildProcess): number {
  const children = readFileSync(`/proc/${host.pid}/task/${host.pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}

async function answers(host: ChildProcess, port: number, log: string[]): Promise<void> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    if (host.exitCode !== null || performance.now() > deadline)
      throw new Error(`The remote host did not start: ${log.join('')}`);
    if (await greets(port)) return;
    await sleep(20);
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('data', () => answer(true));
    socket.once('error', () => answer(false));
    socket.once('end', () => answer(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

async function end(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  const gone = new Promise((resolve) => host.once('exit', resolve));
  // unshare's own end takes its child, and with it all processes of the namespace.
  host.kill('SIGKILL');
  await gone;
}
