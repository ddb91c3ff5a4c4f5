import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { create, workbench } from '../testdata/workbench.ts';

test('a container is found by name, id and prefix, and its directories are there', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench, {}, 'web');
  for (const reference of ['web', '/web', id, id.slice(0, 12)])
    assert.equal(bench.engine.containers.inspect(reference).id, id);
  for (const [place, names] of [
    ['containers', ['files', 'log']],
    ['layers', ['upper', 'work']],
  ] as const)
    assert.deepEqual(readdirSync(join(bench.paths.root, place, id)).toSorted(), names);
  assert.equal(bench.engine.containers.inspect(id).state.status, 'created');
  assert.throws(() => bench.engine.containers.inspect('nobody'), { kind: 'not-found' });
});

test('an unknown image and a taken or impossible name are refused with dockerd’s words', async (t) => {
  const bench = await workbench(t);
  await create(bench, {}, 'web');
  await assert.rejects(create(bench, { image: 'nosuch' }), {
    kind: 'not-found',
    message: 'No such image: nosuch:latest',
  });
  await assert.rejects(create(bench, {}, 'web'), {
    kind: 'conflict',
    message: /The container name "\/web" is already in use by container "[0-9a-f]{64}"/,
  });
  await assert.rejects(create(bench, {}, 'no/slash'), {
    kind: 'invalid',
    message: /Invalid container name \(no\/slash\)/,
  });
});

test('of two creates with one name that run at once, one wins', async (t) => {
  const bench = await workbench(t);
  const results = await Promise.allSettled([create(bench, {}, 'web'), create(bench, {}, 'web')]);
  assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
});

test('a create that fails leaves nothing: no directory, volume or made bind source', async (t) => {
  const bench = await workbench(t);
  await create(bench, {}, 'web');
  const source = join(bench.paths.root, 'made', 'here');
  const mounts = [
    { type: 'volume', name: 'data', target: '/data' },
    { type: 'volume', target: '/anonymous' },
    { type: 'bind', source, target: '/bind', createSource: true },
  ].map((mount) => ({
    readOnly: false,
    noCopy: false,
    labels: {},
    driverOptions: {},
    recursive: true,
    ...mount,
  })) as never;
  const before = readdirSync(join(bench.paths.root, 'containers'));
  // The name is the last thing that is looked at.
  await assert.rejects(create(bench, { mounts }, 'web'), { kind: 'conflict' });
  assert.deepEqual(readdirSync(join(bench.paths.root, 'containers')), before);
  assert.deepEqual(bench.engine.volumes.list(), []);
  assert.deepEqual(readdirSync(join(bench.paths.root, 'volumes')), []);
  assert.equal(existsSync(join(bench.paths.root, 'made')), false);
  assert.deepEqual(bench.reports, []);
});

test('mounts: a missing source, a relative target, and one place twice', async (t) => {
  const bench = await workbench(t);
  const bind = {
    type: 'bind' as const,
    source: '/no/such/place',
    target: '/data',
    readOnly: false,
    createSource: false,
    recursive: true,
  };
  await assert.rejects(create(bench, { mounts: [bind] }), {
    kind: 'invalid',
    message:
      'invalid mount config for type "bind": bind source path does not exist: /no/such/place',
  });
  await assert.rejects(create(bench, { mounts: [{ ...bind, source: '/', target: 'data' }] }), {
    message: /mount path must be absolute/,
  });
  const twice = { ...bind, source: '/' };
  await assert.rejects(create(bench, { mounts: [twice, { ...twice, target: '/data/' }] }), {
    message: /Duplicate mount point/,
  });
});

test('the image’s volumes become anonymous ones, but not where something is mounted', async (t) => {
  const bench = await workbench(t);
  bench.images.config = { ...bench.images.config, Volumes: { '/a': {}, '/b': {} } };
  const mounts = [{ type: 'tmpfs' as const, target: '/b/', options: [] }];
  const id = await create(bench, { mounts });
  const views = bench.engine.containers.inspect(id).mounts;
  assert.deepEqual(
    views.map(({ type, target }) => [type, target]),
    [
      ['tmpfs', '/b/'],
      ['volume', '/a'],
    ],
  );
  const [volume] = bench.engine.volumes.list();
  assert.equal(volume?.anonymous, true);
  assert.deepEqual(volume.users, [id]);
  await bench.engine.containers.remove(id, { force: false, volumes: true });
  assert.deepEqual(bench.engine.volumes.list(), []);
});

test('state is the same after the agent was killed', async (t) => {
  const bench = await workbench(t);
  const id = await create(bench, { labels: { a: 'b' } }, 'web');
  const before = bench.engine.containers.inspect(id);
  const again = await bench.reopen();
  assert.deepEqual(again.containers.inspect('web'), before);
});

test('labels of an image, whatever tool reads them elsewhere, change nothing that is asked of the machine', async (t) => {
  const bench = await workbench(t);
  const asked = async (Labels: Record<string, string>) => {
    bench.images.config = { ...bench.images.config, Labels };
    const id = await create(bench);
    await bench.engine.containers.start(id);
    const { spec, placement, log, init } = bench.runtime.launched.at(-1)?.request ?? {};
    const text = JSON.stringify({
      spec,
      placement,
      log,
      init,
      limits: [...bench.cgroups.groups.values()].at(-1)?.updates,
    });
    await bench.engine.containers.kill(id);
    return text.replaceAll(id, 'ID').replaceAll(id.slice(0, 12), 'ID');
  };
  const plain = await asked({});
  const hostile = {
    'io.containers.capabilities': 'SYS_ADMIN',
    'io.podman.annotations.privileged': 'TRUE',
    'run.oci.keep_original_groups': '1',
    'org.opencontainers.image.ref.name': '../../etc',
    'com.docker.compose.config-hash': 'x',
    'devices.nvidia.com': 'all',
    run: 'podman run --privileged -v /:/host IMAGE',
  };
  assert.equal(await asked(hostile), plain);
});
