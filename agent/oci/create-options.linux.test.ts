/** What `create` and `run` take beside a bundle, and what the container keeps of its caller. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemCall } from '../kernel/libc.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());
const program = join(import.meta.dirname, '../../scripts/oci-runtime');

test('--no-pivot: the root goes on top of the machine’s, and there is no way back to that', () => {
  const script = [
    'readlink /proc/self/ns/mnt',
    'cd ../../..; ls -d proc var/data; ls -d home usr/share 2>&1',
    // What is below shows in no list, and has no procfs or sysfs that a user namespace could go by.
    "cut -d' ' -f5 /proc/self/mountinfo | grep -xc /proc",
    'mkdir -p /tmp/in && chroot /tmp/in /bin/true 2>&1 | grep -c permitted',
  ].join('; ');
  const bundle = bench.bundle(['/bin/sh', '-c', script]);
  const { stdout, stderr, status } = bench.oci('run', '--no-pivot', '-b', bundle.path, bundle.id);
  assert.equal(status, 0, stderr);
  const [mounts, ...rest] = stdout.trim().split('\n');
  assert.notEqual(mounts, readlinkSync('/proc/self/ns/mnt'));
  assert.deepEqual(rest.slice(0, 2).sort(), ['proc', 'var/data']);
  assert.deepEqual(
    rest.slice(2, 4).map((line) => /No such file/.test(line)),
    [true, true],
  );
  assert.deepEqual(rest.slice(4), ['1', '1']);
});

test('--no-pivot: an exec finds the container’s root', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle, '--no-pivot');
  bench.ok('start', bundle.id);
  writeFileSync(bench.inRoot('tmp/mine'), '');
  assert.equal(bench.ok('exec', bundle.id, 'ls', '/tmp/mine'), '/tmp/mine\n');
  bench.ok('delete', '--force', bundle.id);
});

const keyctl = systemCall('keyctl', process.arch === 'arm64' ? 219 : 250, ['int', 'str']);
const sessionName = 'corten-test-session';

/** Whether there are keyrings, and whoever runs this lets us make one. */
function joinSession(): boolean {
  try {
    keyctl(sessionName, 1, sessionName);
    return existsSync('/proc/keys');
  } catch {
    return false;
  }
}
const hasKeys = joinSession();

test('--no-new-keyring: the caller’s session keyring, in an exec too', { skip: !hasKeys }, () => {
  const name = sessionName;
  // Only whoever possesses it sees it there as another user.
  const look = ['/bin/sh', '-c', `grep -c ${name} /proc/keys; exec sleep 1000`];
  const changes = {
    process: { user: { uid: 1000, gid: 1000 } },
    linux: { maskedPaths: [] },
  };
  const counts = [[], ['--no-new-keyring']].map((options) => {
    const bundle = bench.bundle(look, changes);
    assert.deepEqual(bench.create(bundle, ...options), { status: 0, stderr: '' });
    bench.ok('start', bundle.id);
    const { stdout } = bench.oci('exec', bundle.id, 'grep', '-c', name, '/proc/keys');
    bench.ok('delete', '--force', bundle.id);
    return stdout;
  });
  assert.deepEqual(counts, ['0\n', '1\n']);
});

test('run.oci.keep_original_groups: the caller’s groups', () => {
  const own = process.getgroups!();
  process.setgroups!([7, 8]);
  try {
    const groups = (annotations: Record<string, string>) =>
      bench.run(['/bin/id', '-G'], { other: { annotations } }).stdout;
    assert.equal(groups({}), '0\n');
    assert.equal(groups({ 'run.oci.keep_original_groups': '0' }), '0\n');
    assert.equal(groups({ 'run.oci.keep_original_groups': '1' }), '0 7 8\n');
  } finally {
    process.setgroups!(own);
  }
});

test('linux.personality, in an exec too', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    linux: { personality: { domain: 'LINUX32' } },
  });
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  assert.equal(readFileSync(`/proc/${pid}/personality`, 'utf8'), '00000008\n');
  assert.equal(bench.ok('exec', bundle.id, 'cat', '/proc/self/personality'), '00000008\n');
  bench.ok('delete', '--force', bundle.id);
});

test('execCPUAffinity: the processors of an exec, and no list that is none', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const exec = (execCPUAffinity: object) => {
    const document = join(bundle.path, 'process.json');
    const args = ['grep', 'Cpus_allowed_list', '/proc/self/status'];
    writeFileSync(
      document,
      JSON.stringify({ args, cwd: '/', env: ['PATH=/bin'], user: {}, execCPUAffinity }),
    );
    return bench.oci('exec', '--process', document, bundle.id);
  };
  const allowed = /^Cpus_allowed_list:\t(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
  const first = allowed?.[1] ?? '0';
  const { stdout } = exec({ initial: first, final: `${first},${first}` });
  assert.equal(stdout, `Cpus_allowed_list:\t${first}\n`);
  assert.match(exec({ initial: '0-' }).stderr, /"0-" is no list of processors/);
  bench.ok('delete', '--force', bundle.id);
});

interface Descriptors {
  fds: number[];
  env?: Record<string, string>;
  options?: string[];
}

function runWith({ fds, env = {}, options = [] }: Descriptors, script: string) {
  const { id, path } = bench.bundle(['/bin/sh', '-c', script]);
  const args = ['--root', bench.root, 'run', '--bundle', path, ...options, id];
  return spawnSync(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
}

test('LISTEN_FDS: what the caller listens on comes first, and the process is told', () => {
  const files = ['listened', 'preserved', 'neither'].map((content) => {
    const path = join(bench.root, '..', content);
    writeFileSync(path, `${content}\n`);
    return openSync(path, 'r');
  });
  const script = 'echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4; cat <&5';
  const env = { LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' };
  const given = { fds: files, env, options: ['--preserve-fds=1'] };
  const { stdout, stderr } = runWith(given, script);
  assert.equal(stdout, '1 1 web\nlistened\npreserved\n');
  assert.match(stderr, /Bad file descriptor/);
  // For somebody else.
  const other = { ...given, env: { ...env, LISTEN_PID: '1' }, options: [] };
  assert.equal(runWith(other, 'echo $LISTEN_FDS; cat <&3').stdout, '\n');
  for (const fd of files) closeSync(fd);
});

test('a device that is the caller’s standard input keeps its owner', () => {
  const node = join(bench.root, '..', 'null');
  execFileSync('mknod', ['-m', '666', node, 'c', '1', '3']);
  const bundle = bench.bundle(['/bin/true'], { process: { user: { uid: 1000, gid: 1000 } } });
  const args = ['--root', bench.root, 'run', '--bundle', bundle.path, bundle.id];
  const fd = openSync(node, 'r+');
  const { status, stderr } = spawnSync(program, args, { stdio: [fd, fd, 'pipe'] });
  closeSync(fd);
  assert.equal(status, 0, stderr.toString());
  const { uid, gid } = statSync(node);
  assert.deepEqual([uid, gid], [0, 0]);
});

test('more than is open: what there is, a warning, and none of the command’s own', () => {
  const fd = openSync('/etc/hostname', 'r');
  const list = 'cd /proc/1/fd; for fd in *; do [ $fd -lt 3 ] || readlink $fd; done; true';
  const { stdout, stderr } = runWith({ fds: [fd], options: ['--preserve-fds', '50'] }, list);
  closeSync(fd);
  // The shell has the folder open while it reads it.
  const found = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('/proc/'));
  assert.deepEqual(found, ['/etc/hostname']);
  assert.match(stderr, /50 descriptors are to be handed on, but descriptor 4 is not open/);
});
