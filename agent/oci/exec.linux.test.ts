/** exec, and terminals through the console socket. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { testProcess } from '../runtime/testdata/test-container.ts';
import { OciBench } from './testdata/bench.ts';
import { DescriptorSocket } from './testdata/descriptor-socket.ts';

const bench = new OciBench();
let id: string;
let path: string;
let pid: number;

before(() => {
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    process: { env: ['PATH=/bin', 'OWN=1'], cwd: '/tmp' },
  });
  ({ id, path } = bundle);
  bench.create(bundle);
  bench.ok('start', id);
  pid = JSON.parse(bench.ok('state', id)).pid;
});
after(() => bench.close());

/** All that a terminal says until its last user has gone. */
function readTerminal(fd: number, until: RegExp): string {
  const buffer = Buffer.alloc(4096);
  let text = '';
  while (!until.test(text)) text += buffer.toString('utf8', 0, readSync(fd, buffer));
  return text;
}

test('it runs in the container’s namespaces and group, with its environment and directory', () => {
  const out = bench.ok(
    ...['exec', id, '/bin/sh', '-c'],
    'readlink /proc/self/ns/pid; readlink /proc/self/ns/net; pwd; echo $OWN; cat /proc/self/cgroup',
  );
  const [pidNamespace, net, cwd, own, ...groups] = out.trim().split('\n');
  assert.equal(pidNamespace, readlinkSync(`/proc/${pid}/ns/pid`));
  assert.equal(net, readlinkSync(`/proc/${pid}/ns/net`));
  assert.deepEqual([cwd, own], ['/tmp', '1']);
  // The cgroup namespace is the container's, so its own group is the root.
  assert.ok(
    groups.some((line) => line.includes('pids:/') && line.endsWith(':/')),
    groups.join(),
  );
});

test('HOME is the user’s of the container, where nothing says another', () => {
  writeFileSync(bench.inRoot('etc/passwd'), 'root:x:0:0::/root:\nann:x:1000:1000::/home/ann:\n');
  const home = (...words: string[]) =>
    bench.ok('exec', ...words, id, '/bin/sh', '-c', 'echo $HOME').trim();
  assert.equal(home(), '/root');
  assert.equal(home('--user', '1000'), '/home/ann');
  assert.equal(home('--user', '77'), '/');
  assert.equal(home('--env', 'HOME='), '/root');
  assert.equal(home('--env', 'HOME=/srv'), '/srv');
  const own = bench.bundle(['/bin/sh', '-c', 'echo $HOME'], { process: { env: [] } });
  assert.equal(bench.ok('run', '--bundle', own.path, own.id).trim(), '/root');
});

test('--env replaces what the container has by that name, and the last of several counts', () => {
  const words = ['--env', 'OWN=2', '-e', 'OWN=3', '-e', 'MORE=x=y'];
  const seen = bench.ok('exec', ...words, id, 'cat', '/proc/self/environ').split('\0');
  assert.deepEqual(
    seen.filter((pair) => /^(OWN|MORE)=/.test(pair)),
    ['OWN=3', 'MORE=x=y'],
  );
});

test('its exit code is the command’s, and a program that is not there an error', () => {
  assert.equal(bench.oci('exec', id, '/bin/sh', '-c', 'exit 9').status, 9);
  assert.equal(bench.oci('exec', id, '/bin/sh', '-c', 'kill -15 $$').status, 128 + 15);
  const missing = bench.oci('exec', id, 'nosuch');
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /"nosuch": executable file not found in \$PATH/);
});

test('options change what the container’s process has, and a program’s own options stay its own', () => {
  const out = bench.ok(
    ...['exec', '--user', '1000:1001', '--cwd', '/var', '--env', 'A=b', '-g', '7', id],
    ...['sh', '-c', 'id -u; id -g; id -G; pwd; echo $A', '--env', 'C=d'],
  );
  assert.deepEqual(out.trim().split('\n'), ['1000', '1001', '1001 7', '/var', 'b']);
  assert.match(bench.oci('exec', '--user', 'web', id, 'id').stderr, /--user takes numbers/);
});

test('--cap adds a capability, and one that nobody knows is a warning', () => {
  const command = ['exec', '--cap', 'CAP_UNKNOWN', '--cap', 'sys_nice', id];
  const { status, stdout, stderr } = bench.oci(...command, 'grep', 'CapEff', '/proc/self/status');
  assert.equal(status, 0);
  assert.notEqual(BigInt(`0x${stdout.trim().split('\t')[1]}`) & (1n << 23n), 0n);
  assert.match(stderr, /unknown capability "CAP_UNKNOWN"/);
});

test('a document says everything; detached, it is written down and reaped by others', async () => {
  const file = join(path, 'process.json');
  const mark = bench.inRoot('tmp/detached');
  const process = testProcess(['/bin/sh', '-c', 'echo $MARK >/tmp/detached; exec sleep 1000'], {
    env: ['PATH=/bin', 'MARK=document'],
  });
  writeFileSync(file, JSON.stringify(process));
  const pidFile = join(path, 'exec-pid');
  bench.ok('exec', '--process', file, '--detach', '--pid-file', pidFile, id);
  const execPid = Number(readFileSync(pidFile, 'utf8'));
  assert.ok(JSON.parse(bench.ok('ps', '--format', 'json', id)).includes(execPid));
  assert.match(bench.ok('ps', id), new RegExp(`^root +${execPid} `, 'm'));
  for (let text = ''; text !== 'document\n'; ) {
    try {
      text = readFileSync(mark, 'utf8');
    } catch {
      // The shell has not come that far.
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  globalThis.process.kill(execPid, 'SIGKILL');
});

test('a terminal goes to the console socket, at the size that was asked for', async () => {
  const socket = new DescriptorSocket(join(path, 'console'));
  const file = join(path, 'tty.json');
  const process = testProcess(['/bin/sh', '-c', 'tty; stty size; read word; echo "got $word"'], {
    terminal: true,
    consoleSize: { height: 30, width: 90 },
  });
  writeFileSync(file, JSON.stringify(process));
  const args = ['exec', '--process', file, '--console-socket', join(path, 'console'), '-d', id];
  const { spawn } = await import('node:child_process');
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  const command = spawn(program, ['--root', bench.root, ...args], { stdio: 'ignore' });
  const terminal = socket.receive().fd;
  // What is typed before would be echoed between the lines.
  readTerminal(terminal, /^\/dev\/pts\/\d+\r\n30 90\r\n/);
  writeSync(terminal, 'word\n');
  readTerminal(terminal, /got word/);
  assert.equal(await new Promise((done) => command.on('close', done)), 0);
  closeSync(terminal);
  socket.close();
});

test('a container’s own terminal too, also for a path longer than a socket’s name may be', async () => {
  const bundle = bench.bundle(['/bin/sh', '-c', 'tty; [ -c /dev/console ] && echo console'], {
    process: { terminal: true },
  });
  const { mkdirSync, renameSync } = await import('node:fs');
  const long = join(bundle.path, 'x'.repeat(120));
  mkdirSync(long);
  const socket = new DescriptorSocket(join(bundle.path, 's'));
  renameSync(join(bundle.path, 's'), join(long, 's'));
  const { spawn } = await import('node:child_process');
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  const args = ['create', '--bundle', bundle.path, '--console-socket', join(long, 's'), bundle.id];
  const command = spawn(program, ['--root', bench.root, ...args], { stdio: 'ignore' });
  const terminal = socket.receive().fd;
  assert.equal(await new Promise((done) => command.on('close', done)), 0);
  bench.ok('start', bundle.id);
  assert.match(readTerminal(terminal, /console/), /\/dev\/pts\/0\r\nconsole/);
  closeSync(terminal);
  socket.close();
  await bench.until(bundle.id, 'stopped');
  bench.ok('delete', bundle.id);
});

test('a console socket that nobody listens on leaves nothing', () => {
  const bundle = bench.bundle(['/bin/true'], { process: { terminal: true } });
  const { status, stderr } = bench.create(bundle, '--console-socket', join(path, 'nobody'));
  assert.equal(status, 1);
  assert.match(stderr, /cannot be sent to --console-socket/);
  assert.deepEqual(bench.containers(), [id]);
});

test('descriptors are handed on only as far as --preserve-fds says', () => {
  const files = [0, 1, 2].map((index) => {
    const file = join(path, `fd-${index}`);
    writeFileSync(file, `content ${index}\n`);
    return openSync(file, 'r');
  });
  const bundle = bench.bundle(['/bin/sh', '-c', 'cat <&3; cat <&4; cat <&5']);
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...files];
  const own = ['--root', bench.root, 'run', '--bundle', bundle.path];
  const run = spawnSync(program, [...own, '--preserve-fds', '2', bundle.id], {
    stdio,
    encoding: 'utf8',
  });
  for (const fd of files) closeSync(fd);
  assert.equal(run.stdout, 'content 0\ncontent 1\n');
  assert.match(run.stderr, /Bad file descriptor/);
  assert.match(
    bench.oci('run', '-b', bundle.path, '--preserve-fds', '90', 'x').stderr,
    /is not open/,
  );
});

test('nor when a profile that is older than close_range(2) refuses it', () => {
  const file = join(path, 'handed-on');
  writeFileSync(file, '');
  const fd = openSync(file, 'r');
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['close_range'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
      },
    },
  });
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  const script = 'ls -l /proc/self/fd | grep -c handed-on';
  const own = ['--root', bench.root, 'exec', '--preserve-fds', '1', bundle.id, 'sh', '-c', script];
  const { stdout } = spawnSync(program, own, {
    stdio: ['ignore', 'pipe', 'pipe', fd],
    encoding: 'utf8',
  });
  closeSync(fd);
  bench.ok('delete', '--force', bundle.id);
  assert.equal(stdout, '1\n');
});

test('a descriptor that is handed on is no working directory: it lies outside the root (CVE-2024-21626)', () => {
  const fd = openSync(path, 'r');
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  // Before execve it has a number that is the shim's own affair.
  for (let number = 3; number < 24; number++) {
    const cwd = `/proc/self/fd/${number}`;
    const own = ['--root', bench.root, 'exec', '--preserve-fds', '1', '--cwd', cwd, id, 'ls'];
    const run = spawnSync(program, own, { stdio: ['ignore', 'pipe', 'pipe', fd] });
    assert.notEqual(run.status, 0, cwd);
    assert.equal(run.stdout.toString(), '', cwd);
  }
  closeSync(fd);
});

test('nothing else is open, in the container or in an exec', () => {
  const list = ['/bin/sh', '-c', 'cd /proc/self/fd; for fd in *; do echo $fd; done; true'];
  // The shell holds the folder open while it reads it, with the lowest free number.
  assert.deepEqual(
    bench
      .ok('exec', id, ...list)
      .trim()
      .split('\n'),
    ['0', '1', '2', '3'],
  );
  assert.deepEqual(bench.run(list).stdout.trim().split('\n'), ['0', '1', '2', '3']);
});
