/** Hooks: order, namespaces, state on stdin, and what a failure does. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { hookNames, type OciHookName, type OciHooks } from '../contract/oci-runtime.ts';
import { firstId, remap, testProcess, testSpec } from '../runtime/testdata/test-container.ts';
import { OciBench } from './testdata/bench.ts';

const bench = new OciBench();
const record = join(bench.root, '../hooks');
after(() => bench.close());
beforeEach(() => rmSync(record, { force: true }));
afterEach(() => assert.deepEqual([bench.containers(), bench.cgroups()], [[], []]));

/** Only this one is looked for in the container's own root. */
const inside = 'startContainer';

function hook(name: OciHookName, script: string) {
  // The hooks of the container's root write there, and the others on the machine.
  const target = name === inside ? '/hooks' : record;
  return { path: '/bin/sh', args: ['sh', '-c', script.replaceAll('RECORD', target)], env: ['A=b'] };
}

function everyHook(script: (name: OciHookName) => string): OciHooks {
  return Object.fromEntries(hookNames.map((name) => [name, [hook(name, script(name))]]));
}

function life(hooks: OciHooks, args = ['/bin/sleep', '1000']) {
  rmSync(bench.inRoot('hooks'), { force: true });
  const bundle = bench.bundle(args, { hooks, other: { annotations: { key: 'value' } } });
  return bundle;
}

const linesOf = (path: string) => readFileSync(path, 'utf8').trim().split('\n');

test('each runs once, in its place, and hears of the container on stdin', () => {
  const bundle = life(everyHook((name) => `echo ${name} $(cat) >>RECORD`));
  assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  bench.ok('start', bundle.id);
  bench.ok('delete', '--force', bundle.id);
  const heard = linesOf(record).map((line) => {
    const [, name, state] = /^(\w+) (.*)$/.exec(line)!;
    return { name, state: JSON.parse(state!) };
  });
  assert.deepEqual(
    heard.map(({ name, state }) => [name, state.status]),
    [
      ['prestart', 'created'],
      ['createRuntime', 'created'],
      ['createContainer', 'created'],
      ['poststart', 'running'],
      ['poststop', 'stopped'],
    ],
  );
  for (const { state } of heard) {
    assert.equal(state.id, bundle.id);
    assert.equal(state.bundle, bundle.path);
    assert.deepEqual(state.annotations, { key: 'value' });
  }
  // Inside, the process has the pid that it has there.
  const pids = heard.map(({ state }) => state.pid);
  assert.deepEqual(pids, [pid, pid, 1, pid, 0]);
  const [line] = linesOf(bench.inRoot('hooks'));
  assert.match(line!, /^startContainer .*"status":"created","pid":1,/);
});

test('namespaces: of the machine, or of the container with the machine’s tree, or with its own', () => {
  const bundle = life(
    everyHook(
      (name) =>
        `echo ${name} $(readlink /proc/self/ns/net) $(readlink /proc/self/ns/mnt) $PWD $A >>RECORD`,
    ),
  );
  bench.create(bundle);
  const { pid } = JSON.parse(bench.ok('state', bundle.id));
  const theirs = ['net', 'mnt'].map((type) => readlinkSync(`/proc/${pid}/ns/${type}`)).join(' ');
  const ours = ['net', 'mnt'].map((type) => readlinkSync(`/proc/self/ns/${type}`)).join(' ');
  bench.ok('start', bundle.id);
  bench.ok('delete', '--force', bundle.id);
  assert.deepEqual(linesOf(record), [
    `prestart ${ours} ${bundle.path} b`,
    `createRuntime ${ours} ${bundle.path} b`,
    `createContainer ${theirs} / b`,
    `poststart ${ours} ${bundle.path} b`,
    `poststop ${ours} ${bundle.path} b`,
  ]);
  assert.deepEqual(linesOf(bench.inRoot('hooks')), [`startContainer ${theirs} / b`]);
});

for (const remapped of [false, true])
  test(`a startContainer hook is the image's program, and gets no more rights than the container${remapped ? ', whose root is nobody outside' : ''}`, () => {
    const script =
      "(grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; cat /proc/self/uid_map; cut -d: -f3 /proc/self/cgroup | sort -u) >>RECORD";
    const bundle = bench.bundle(['/bin/sleep', '1000'], {
      hooks: { [inside]: [hook(inside, script)] },
      ...(remapped && { linux: remap(testSpec(testProcess([]))).linux }),
    });
    writeFileSync(bench.inRoot('hooks'), '');
    chmodSync(bench.inRoot('hooks'), 0o666);
    assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
    bench.ok('start', bundle.id);
    bench.ok('delete', '--force', bundle.id);
    const lines = linesOf(bench.inRoot('hooks')).map((line) => line.trim().split(/\s+/));
    const map = remapped
      ? ['0', String(firstId), '65536']
      : readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
    assert.deepEqual(lines.slice(0, 4), [
      ['CapEff:', '00000000000001e1'],
      ['CapBnd:', '00000000000001e1'],
      ['NoNewPrivs:', '1'],
      map,
    ]);
    // Every group is the root of the container's cgroup namespace; v2 alone may have none.
    assert.deepEqual(lines.slice(4), [['/']]);
  });

test('what a createContainer hook mounts below the root is in the container', () => {
  const target = bench.inRoot('var/data');
  const bundle = life(
    {
      createContainer: [
        hook('createContainer', `mount -t tmpfs tmpfs ${target}; echo x >${target}/made`),
      ],
    },
    ['/bin/cat', '/var/data/made'],
  );
  const { status, stdout } = bench.oci('run', '--bundle', bundle.path, bundle.id);
  assert.deepEqual([status, stdout], [0, 'x\n']);
  assert.equal(existsSync(`${target}/made`), false);
});

for (const name of ['prestart', 'createRuntime', 'createContainer'] as const)
  test(`a ${name} hook that fails is an error of create, and the container is gone`, () => {
    const failing = hook(name, 'echo complaint >&2; exit 3');
    const bundle = life({
      [name]: [failing, hook(name, 'echo second >>RECORD')],
      poststop: [hook('poststop', 'echo poststop >>RECORD')],
    });
    const { status, stderr } = bench.create(bundle);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`the ${name} hook /bin/sh ended with 3: complaint`));
    assert.deepEqual(linesOf(record), ['poststop']);
  });

for (const name of ['startContainer', 'poststart'] as const)
  test(`a ${name} hook that fails is an error of start, and the container is gone`, () => {
    const bundle = life({
      [name]: [hook(name, 'exit 4')],
      poststop: [hook('poststop', 'echo poststop >>RECORD')],
    });
    assert.equal(bench.create(bundle).status, 0);
    const { status, stderr } = bench.oci('start', bundle.id);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`the ${name} hook /bin/sh ended with 4`));
    assert.deepEqual(linesOf(record), ['poststop']);
  });

test('a poststop hook that fails is a warning, and the others run', () => {
  const bundle = life({
    poststop: [hook('poststop', 'exit 5'), hook('poststop', 'echo second >>RECORD')],
  });
  bench.create(bundle);
  const { status, stderr } = bench.oci('delete', '--force', bundle.id);
  assert.equal(status, 0);
  assert.match(stderr, /warning: the poststop hook \/bin\/sh ended with 5/);
  assert.deepEqual(linesOf(record), ['second']);
});

for (const name of ['createRuntime', 'createContainer'] as const)
  test(`a ${name} hook that takes too long is killed`, () => {
    const slow = { path: '/bin/sleep', args: ['sleep', '1000'], timeout: 1 };
    const bundle = life({ [name]: [slow] });
    assert.match(bench.create(bundle).stderr, /took longer than 1 s/);
  });

test('a hook that is not there', () => {
  const bundle = life({ createRuntime: [{ path: '/no/such/hook' }] });
  assert.match(bench.create(bundle).stderr, /the createRuntime hook \/no\/such\/hook .*ENOENT/);
});

test('a hook without env has its caller’s, and one with has nothing else; the image’s own never', () => {
  process.env.CORTEN_TEST_CALLER = 'heard';
  const out = join(bench.root, '..', 'environment');
  const say = (name: string, target: string) => ({
    path: '/bin/sh',
    args: ['sh', '-c', `echo ${name} $CORTEN_TEST_CALLER. $NODE_COMPILE_CACHE. >>${target}`],
  });
  const bundle = bench.bundle(['/bin/sleep', '1000'], {
    hooks: {
      prestart: [say('prestart', out), { ...say('own', out), env: ['PATH=/bin'] }],
      createContainer: [say('createContainer', out)],
      startContainer: [say('startContainer', '/tmp/environment')],
    },
  });
  assert.deepEqual(bench.create(bundle), { status: 0, stderr: '' });
  bench.ok('start', bundle.id);
  delete process.env.CORTEN_TEST_CALLER;
  assert.deepEqual(linesOf(out), ['prestart heard. .', 'own . .', 'createContainer heard. .']);
  assert.deepEqual(linesOf(bench.inRoot('tmp/environment')), ['startContainer . .']);
  bench.ok('delete', '--force', bundle.id);
});
