/** The life of a container, by the runtime specification: create, start, kill, delete. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../e2e/until.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());

test('the program runs at start and not before, in the namespaces that were made at create', async () => {
  const mark = bench.inRoot('tmp/started');
  rmSync(mark, { force: true });
  const bundle = bench.bundle(['/bin/sh', '-c', 'echo said; : >/tmp/started; exec sleep 1000']);
  const pidFile = join(bundle.path, 'pid');
  assert.deepEqual(bench.create(bundle, '--pid-file', pidFile), { status: 0, stderr: '' });
  const created = JSON.parse(bench.ok('state', bundle.id));
  assert.equal(created.status, 'created');
  assert.equal(created.bundle, bundle.path);
  assert.equal(Number(readFileSync(pidFile, 'utf8')), created.pid);
  const namespace = () => readlinkSync(`/proc/${created.pid}/ns/pid`);
  const before = namespace();
  assert.notEqual(before, readlinkSync('/proc/self/ns/pid'));
  assert.equal(existsSync(mark), false);

  bench.ok('start', bundle.id);
  assert.equal(bench.status(bundle.id), 'running');
  assert.equal(namespace(), before);
  await until(() => existsSync(mark));
  assert.equal(readFileSync(join(bundle.path, 'stdout'), 'utf8'), 'said\n');

  bench.ok('kill', bundle.id, 'KILL');
  await bench.until(bundle.id, 'stopped');
  bench.ok('delete', bundle.id);
  assert.match(bench.oci('state', bundle.id).stderr, /does not exist/);
  assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
});

test('the container’s process becomes a child of whoever is left to reap it', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  const parent = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // The first process of these tests' own namespace; neither the shim nor the command is there.
  assert.equal(parent, '1');
  bench.ok('delete', '--force', bundle.id);
});

test('what changes in the bundle after create changes nothing', async () => {
  const bundle = bench.bundle(['/bin/echo', 'first']);
  bench.create(bundle);
  const changed = JSON.parse(readFileSync(join(bundle.path, 'config.json'), 'utf8'));
  changed.process.args = ['/bin/echo', 'second'];
  changed.hooks = { poststart: [{ path: '/bin/false' }] };
  writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(changed));
  bench.ok('start', bundle.id);
  await bench.until(bundle.id, 'stopped');
  assert.equal(readFileSync(join(bundle.path, 'stdout'), 'utf8'), 'first\n');
  bench.ok('delete', bundle.id);
});

test('run gives the program its stdio and its exit code, and leaves nothing', () => {
  const { status, stdout, stderr } = bench.run(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']);
  assert.deepEqual({ status, stdout, stderr }, { status: 7, stdout: 'out\n', stderr: 'err\n' });
  assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
});

test('run hands a signal on to the program', async () => {
  const bundle = bench.bundle([
    '/bin/sh',
    '-c',
    'trap "echo told; exit 3" TERM; : >/tmp/waiting; while :; do sleep 0.1; done',
  ]);
  rmSync(bench.inRoot('tmp/waiting'), { force: true });
  const { spawn } = await import('node:child_process');
  const program = join(import.meta.dirname, '../../scripts/oci-runtime');
  const args = ['--root', bench.root, 'run', '--bundle', bundle.path, bundle.id];
  const running = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  running.stdout.on('data', (chunk) => {
    said += chunk;
  });
  const ended = new Promise((resolve) => running.on('close', resolve));
  while (!existsSync(bench.inRoot('tmp/waiting')))
    await new Promise((done) => setTimeout(done, 20));
  running.kill('SIGTERM');
  assert.equal(await ended, 3);
  assert.equal(said, 'told\n');
});

test('delete --force ends a container in any state, and takes none for granted', async () => {
  const created = bench.bundle(['/bin/sleep', '1000']);
  bench.create(created);
  bench.ok('delete', '--force', created.id);
  const paused = bench.bundle(['/bin/sleep', '1000']);
  bench.create(paused);
  bench.ok('start', paused.id);
  bench.ok('pause', paused.id);
  bench.ok('delete', paused.id, '--force');
  bench.ok('delete', '--force', 'never-there');
  assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
});

test('kill --all reaches everybody, paused or not', async () => {
  const listen = (name: string, then: string) =>
    `trap ": >/heard-${name}; ${then}" USR1; : >/ready-${name}; while :; do sleep 0.1; done`;
  // The first waits for the other, which ends with it.
  const script = `sh -c '${listen('2', 'exit')}' & ${listen('1', 'wait; exit')}`;
  const bundle = bench.bundle(['/bin/sh', '-c', script]);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  for (const name of ['ready-1', 'ready-2']) await until(() => existsSync(bench.inRoot(name)));
  bench.ok('pause', bundle.id);
  bench.ok('kill', '--all', bundle.id, 'USR1');
  assert.equal(bench.status(bundle.id), 'paused');
  bench.ok('resume', bundle.id);
  await bench.until(bundle.id, 'stopped');
  assert.deepEqual(
    ['heard-1', 'heard-2'].map((name) => existsSync(bench.inRoot(name))),
    [true, true],
  );
  bench.ok('delete', bundle.id);
});

test('delete --regex takes all whose id matches, and only those; one that is in the way hinders none', () => {
  const bundles = ['a', 'b', 'c'].map(() => bench.bundle(['/bin/sleep', '1000']));
  for (const bundle of bundles) bench.create(bundle);
  const [first, second, third] = bundles.map(({ id }) => id) as [string, string, string];
  bench.ok('start', first);
  const pattern = `^(${first}|${second})$`;
  const { status, stderr } = bench.oci('delete', '--regex', pattern);
  assert.equal(status, 1);
  assert.match(stderr, /is running; stop it first/);
  assert.match(stderr, /is created; stop it first/);
  bench.ok('delete', '--force', '--regex', pattern);
  assert.deepEqual(bench.containers(), [third]);
  assert.match(bench.oci('delete', '--regex', '(').stderr, /--regex: Invalid regular expression/);
  bench.ok('delete', '-f', '-r', `${third.slice(0, 4)}.*`);
  assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
});

test('delete --force ends a process that somebody has frozen in a group of their own', (context) => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  const own = bench.cgroupPaths(bundle.id).get('freezer');
  if (own === undefined) {
    bench.ok('delete', '--force', bundle.id);
    return context.skip('v2 lets go of what is killed');
  }
  const frozen = join(own, '../frozen');
  mkdirSync(frozen);
  writeFileSync(join(frozen, 'freezer.state'), 'FROZEN');
  writeFileSync(join(frozen, 'cgroup.procs'), String(pid));
  bench.ok('delete', '--force', bundle.id);
  rmdirSync(frozen);
  assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]);
});
