/** What must be refused, and that a refusal leaves nothing behind. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { type ConfigChanges, OciBench } from './testdata/bench.ts';

const bench = new OciBench();
after(() => bench.close());
afterEach(() => assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]));

test('an id that nobody has', () => {
  for (const verb of ['state', 'start', 'kill', 'delete', 'ps', 'pause', 'resume', 'update']) {
    const { status, stderr } = bench.oci(verb, 'nobody');
    assert.equal(status, 1, verb);
    assert.match(stderr, /container "nobody" does not exist/, verb);
  }
  assert.match(bench.oci('exec', 'nobody', 'true').stderr, /does not exist/);
});

test('no id, and one that is no name', () => {
  for (const verb of ['state', 'create', 'start', 'kill', 'delete'])
    assert.match(bench.oci(verb).stderr, /give the id/, verb);
  const { path } = bench.bundle(['/bin/true']);
  for (const id of ['.', '..', 'a/b', '../a', 'a b', 'x'.repeat(300)])
    assert.match(bench.oci('create', '--bundle', path, id).stderr, /is no container id/, id);
});

test('only cgroupfs manages control groups, by crun’s name too', () => {
  bench.ok('--cgroup-manager', 'cgroupfs', 'list');
  for (const words of [
    ['--cgroup-manager', 'systemd'],
    ['--cgroup-manager=disabled'],
    ['--systemd-cgroup'],
  ]) {
    const { status, stderr } = bench.oci(...words, 'list');
    assert.equal(status, 1);
    assert.match(stderr, /is not supported: choose the cgroupfs driver/);
  }
});

test('--config names another file than config.json, in the bundle or anywhere', () => {
  const { path, id } = bench.bundle(['/bin/sh', '-c', 'exit 7']);
  const text = readFileSync(join(path, 'config.json'), 'utf8');
  writeFileSync(join(path, 'other.json'), text.replace('exit 7', 'exit 8'));
  const codes = [[], ['--config', 'other.json'], ['--config', join(path, 'other.json')]].map(
    (words) => bench.oci('run', '--bundle', path, ...words, id).status,
  );
  assert.deepEqual(codes, [7, 8, 8]);
  assert.match(
    bench.oci('run', '--bundle', path, '--config', 'none.json', id).stderr,
    /is no bundle: it has no none.json/,
  );
});

test('an id that is in use, and the container that has it is as before', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  const again = bench.oci('create', '--bundle', bundle.path, bundle.id);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /exists already/);
  assert.equal(bench.status(bundle.id), 'created');
  bench.ok('delete', '--force', bundle.id);
});

test('a control group that is in use, and whoever runs in it goes on', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  bench.create(bundle);
  bench.ok('start', bundle.id);
  const { linux } = JSON.parse(readFileSync(join(bundle.path, 'config.json'), 'utf8'));
  const second = bench.bundle(['/bin/true'], { linux: { cgroupsPath: linux.cgroupsPath } });
  const { status, stderr } = bench.create(second);
  assert.equal(status, 1);
  assert.match(stderr, /control group .* is in use/);
  assert.equal(bench.status(bundle.id), 'running');
  bench.ok('delete', '--force', bundle.id);
});

test('an empty control group that its caller has made is used as it is', () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  const [first] = bench.cgroupPaths(bundle.id).values();
  assert.ok(first);
  mkdirSync(first, { recursive: true });
  const { ino } = statSync(first);
  bench.create(bundle);
  assert.equal(statSync(first).ino, ino);
  bench.ok('delete', '--force', bundle.id);
});

test('verbs in the wrong state', async () => {
  const bundle = bench.bundle(['/bin/sleep', '1000']);
  const refuses = (wrong: RegExp, ...args: string[]) => {
    const { status, stderr } = bench.oci(...args);
    assert.equal(status, 1, args.join(' '));
    assert.match(stderr, wrong);
  };
  bench.create(bundle);
  refuses(/is created; stop it first/, 'delete', bundle.id);
  refuses(/is created, not paused/, 'resume', bundle.id);
  bench.ok('start', bundle.id);
  refuses(/is running; only one that is created/, 'start', bundle.id);
  refuses(/is running; stop it first/, 'delete', bundle.id);
  bench.ok('pause', bundle.id);
  refuses(/is paused; resume it/, 'exec', bundle.id, 'true');
  refuses(/is paused; it cannot be paused/, 'pause', bundle.id);
  bench.ok('resume', bundle.id);
  bench.ok('kill', bundle.id, '9');
  await bench.until(bundle.id, 'stopped');
  refuses(/is stopped; there is nothing to signal/, 'kill', bundle.id, 'TERM');
  refuses(/is stopped; only one that is created/, 'start', bundle.id);
  refuses(/is stopped; nothing can be run/, 'exec', bundle.id, 'true');
  refuses(/is stopped; it cannot be paused/, 'pause', bundle.id);
  refuses(/is stopped; its limits/, 'update', '--pids-limit', '5', bundle.id);
  bench.ok('delete', bundle.id);
});

test('a bundle that is none', () => {
  const { path } = bench.bundle(['/bin/true']);
  const create = () => bench.oci('create', '--bundle', path, 'bad').stderr;
  writeFileSync(join(path, 'config.json'), '{');
  assert.match(create(), /config.json is not JSON/);
  const empty = join(path, 'empty');
  mkdirSync(empty);
  assert.match(bench.oci('create', '--bundle', empty, 'bad').stderr, /it has no config.json/);
});

const wrongConfigs: [string, ConfigChanges, RegExp][] = [
  ['a version that is none', { other: { ociVersion: 'invalid' } }, /is not a version/],
  ['another major version', { other: { ociVersion: '2.0.0' } }, /knows 1.0.0 to/],
  ['no root', { other: { root: undefined } }, /root.path is missing/],
  ['a root that is not there', { other: { root: { path: 'gone' } } }, /gone is not a directory/],
  ['a relative working directory', { process: { cwd: 'tmp' } }, /cwd must be an absolute path/],
  ['a wrong type', { other: { mounts: 'none' } }, /config.json.mounts must be a list/],
  ['a wrong type deep inside', { other: { hostname: 7 } }, /hostname must be a string/],
  [
    'a limit twice',
    {
      process: {
        rlimits: [
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ],
      },
    },
    /repeats RLIMIT_CORE/,
  ],
  [
    'an unknown limit',
    { process: { rlimits: [{ type: 'RLIMIT_TEST', soft: 0, hard: 0 }] } },
    /unknown resource limit "RLIMIT_TEST"/,
  ],
  [
    'a variable of a hook without a value',
    { hooks: { createRuntime: [{ path: '/bin/true', env: ['NAME'] }] } },
    /has "NAME" in env, which is not name=value/,
  ],
  ['a program that is not there', { process: { args: ['nosuch'] } }, /not found in \$PATH/],
  [
    'a program that is none',
    { process: { args: ['/etc/passwd'] } },
    /"\/etc\/passwd": permission denied/,
  ],
  [
    'an unknown namespace',
    { linux: { namespaces: [{ type: 'mount' }, { type: 'moon' as 'pid' }] } },
    /"moon" is not a namespace/,
  ],
  [
    'a namespace twice',
    { linux: { namespaces: [{ type: 'mount' }, { type: 'mount' }] } },
    /repeats mount/,
  ],
  [
    'a namespace of another type',
    {
      linux: {
        namespaces: [
          { type: 'mount' },
          { type: 'uts' },
          { type: 'ipc', path: '/proc/self/ns/net' },
        ],
      },
    },
    /EINVAL/,
  ],
  [
    'a hostname without a namespace for it',
    { linux: { namespaces: [{ type: 'mount' }] } },
    /must have a uts namespace/,
  ],
  ['an SELinux label', { linux: { mountLabel: 'label' } as object }, /mountLabel|cannot mount/],
  ['an AppArmor profile', { process: { apparmorProfile: 'p' } as object }, /apparmor/i],
  ['a sysctl of the machine', { linux: { sysctl: { 'vm.swappiness': '1' } } }, /would change the/],
  ['a terminal for nobody', { process: { terminal: true } }, /--console-socket must say/],
  [
    'a limit that the kernel refuses',
    { linux: { resources: { cpu: { quota: 1 } } } },
    /refuses 1 as CPU quota/,
  ],
  [
    'realtime turns that no group above has',
    { linux: { resources: { cpu: { realtimeRuntime: 999_999_999 } } } },
    /realtime (runtime|limits)/,
  ],
  ['a systemd path', { linux: { cgroupsPath: 'a.slice:b:c' } }, /is for systemd/],
  ['a hook without a path', { hooks: { prestart: [{ path: 'bin/true' }] } }, /is not absolute/],
];

for (const [name, changes, message] of wrongConfigs)
  test(`refused: ${name}`, () => {
    const bundle = bench.bundle(['/bin/true'], changes);
    const { status, stderr } = bench.create(bundle);
    assert.equal(status, 1);
    assert.match(stderr, message);
  });

test('without a process a container can be created, and not started', () => {
  const bundle = bench.bundle([], { other: { process: undefined } });
  assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
  assert.match(bench.oci('start', bundle.id).stderr, /has no process/);
  assert.equal(bench.status(bundle.id), 'created');
  bench.ok('delete', '--force', bundle.id);
});

test('unknown properties, annotations and capabilities are no errors', () => {
  const { status, stdout, stderr } = bench.run(['/bin/echo', 'ran'], {
    process: { capabilities: { bounding: ['CAP_TEST'] } },
    other: { annotations: { 'org.example': '' }, future: { a: 1 } },
  });
  assert.deepEqual([status, stdout], [0, 'ran\n']);
  assert.match(stderr, /warning: unknown capability "CAP_TEST"/);
});

test('checkpoint and restore say why there is neither, whatever they are asked', () => {
  for (const words of [
    ['checkpoint', '--image-path', '/x', 'c'],
    ['restore', '--detach', 'c'],
  ]) {
    const { status, stderr } = bench.oci(...words);
    assert.equal(status, 1);
    assert.match(stderr, /: (checkpoint|restore) is not supported/);
  }
});

test('an error is also written to the log, as JSON when that is asked for', () => {
  const log = join(bench.bundle(['/bin/true']).path, 'log');
  bench.oci('--log', log, '--log-format', 'json', 'state', 'nobody');
  const { level, msg } = JSON.parse(readFileSync(log, 'utf8'));
  assert.deepEqual([level, msg], ['error', 'container "nobody" does not exist']);
});

test('a program that only execve can refuse is an error of start', async () => {
  const bundle = bench.bundle(['/tmp/broken']);
  writeFileSync(bench.inRoot('tmp/broken'), 'no program\n', { mode: 0o755 });
  writeFileSync(bench.inRoot('tmp/broken'), Buffer.from([0x7f, 0x45, 0x4c, 0x46, 9, 9]), {
    mode: 0o755,
  });
  assert.equal(bench.create(bundle).status, 0);
  assert.match(bench.oci('start', bundle.id).stderr, /"\/tmp\/broken": exec format error/);
  await bench.until(bundle.id, 'stopped');
  bench.ok('delete', bundle.id);
});
