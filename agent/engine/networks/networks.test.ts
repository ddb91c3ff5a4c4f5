import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, settings, workbench } from '../testdata/workbench.ts';

const request = {
  driver: 'bridge',
  internal: false,
  attachable: false,
  enableIpv6: false,
  labels: {},
  options: {},
  ipam: [],
};

test('bridge, host and none are always there, with the same ids ever after', async (t) => {
  const bench = await workbench(t);
  const before = bench.engine.networks.list();
  assert.deepEqual(
    before.map(({ name, driver }) => [name, driver]),
    [
      ['bridge', 'bridge'],
      ['host', 'host'],
      ['none', 'null'],
    ],
  );
  const after = (await bench.reopen()).networks.list();
  assert.deepEqual(after.map(({ id }) => id).toSorted(), before.map(({ id }) => id).toSorted());
  for (const name of ['bridge', 'host', 'none'])
    await assert.rejects(bench.engine.networks.remove(name), {
      kind: 'forbidden',
      message: `${name} is a pre-defined network and cannot be removed`,
    });
});

test('a network of one’s own: made, refused twice, removed', async (t) => {
  const bench = await workbench(t);
  const { networks } = bench.engine;
  const { id } = await networks.create({ ...request, name: 'app' });
  assert.ok(bench.network.ensured.has(id));
  await assert.rejects(networks.create({ ...request, name: 'app' }), {
    kind: 'conflict',
    message: 'network with name app already exists',
  });
  await assert.rejects(networks.create({ ...request, name: 'x', driver: 'macvlan' }), {
    kind: 'not-found',
  });
  await networks.remove('app');
  assert.equal(bench.network.ensured.has(id), false);
  assert.throws(() => networks.inspect('app'), { kind: 'not-found' });
});

test('a stopped container joins and leaves a network in its settings', async (t) => {
  const bench = await workbench(t);
  const { networks, containers } = bench.engine;
  await networks.create({ ...request, name: 'app' });
  const mode = { networks: [{ network: 'bridge', aliases: [] }] };
  const id = await create(bench, { network: { ...settings().network, mode } });
  await networks.connect('app', id, { network: 'app', aliases: ['db'] });
  assert.deepEqual(
    containers.inspect(id).networks.map(({ networkName }) => networkName),
    ['bridge', 'app'],
  );
  await assert.rejects(networks.connect('app', id, { network: 'app', aliases: [] }), {
    kind: 'forbidden',
    message: /already exists in network app/,
  });
  assert.deepEqual((await networks.prune({ labels: [] })).deleted, [], 'it is wanted');
  await networks.disconnect('app', id, { force: false });
  await assert.rejects(networks.disconnect('app', id, { force: false }), { kind: 'forbidden' });
  assert.deepEqual((await networks.prune({ labels: [] })).deleted, ['app']);
});

test('a network that the kernel does not let go of is still the container’s', async (t) => {
  const bench = await workbench(t);
  const { networks, containers } = bench.engine;
  await networks.create({ ...request, name: 'app' });
  const mode = { networks: [{ network: 'app', aliases: [] }] };
  const id = await create(bench, { network: { ...settings().network, mode } });
  await containers.start(id);
  bench.network.failDisconnect = new Error('no memory');
  await assert.rejects(networks.disconnect('app', id, { force: false }), /no memory/);
  assert.equal(containers.inspect(id).networks[0]?.networkName, 'app');
  await assert.rejects(networks.remove('app'), /has active endpoints/);
  bench.network.failDisconnect = undefined;
  await containers.kill(id);
});

test('a network in use by a running container stays', async (t) => {
  const bench = await workbench(t);
  await bench.engine.networks.create({ ...request, name: 'app' });
  const mode = { networks: [{ network: 'app', aliases: [] }] };
  const id = await create(bench, { network: { ...settings().network, mode } });
  await bench.engine.containers.start(id);
  await assert.rejects(bench.engine.networks.remove('app'), {
    kind: 'forbidden',
    message: /has active endpoints/,
  });
  await bench.engine.containers.kill(id);
  await bench.engine.networks.remove('app');
});
