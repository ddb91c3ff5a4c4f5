/** Every network and volume route. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, filterForms } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { app } = api;

test('create, inspect, list, remove', async () => {
  const created = await call(app, 'POST /networks/create', {
    Name: 'front',
    Labels: { who: 'me' },
    IPAM: { Config: [{ Subnet: '10.1.0.0/24', Gateway: '10.1.0.1' }] },
  });
  assert.equal(created.status, 201);
  const [request] = backends.networks.calls.map(({ args }) => args[0] as { ipam: object[] });
  assert.deepEqual(request?.ipam, [
    { subnet: '10.1.0.0/24', ipRange: undefined, gateway: '10.1.0.1' },
  ]);
  assert.equal((await call(app, 'POST /networks/create', { Name: 'front' })).status, 409);
  const { body } = await call(app, 'GET /networks/front');
  assert.equal((body as { Name: string }).Name, 'front');
  for (const form of filterForms({ label: ['who=me'] })) {
    const { body: rows } = await call(app, `GET /networks?${form}`);
    assert.deepEqual(
      (rows as { Name: string }[]).map(({ Name }) => Name),
      ['front'],
    );
  }
  assert.equal((await call(app, 'DELETE /networks/front')).status, 204);
  assert.equal((await call(app, 'GET /networks/front')).status, 404);
  assert.equal((await call(app, 'DELETE /networks/bridge')).status, 403);
});

test('what cannot be made is refused with a reason', async () => {
  const refused: [body: object, status: number, message: RegExp][] = [
    [{}, 400, /invalid network name/],
    [{ Name: 'a b' }, 400, /invalid network name/],
    [{ Name: 'x1', Driver: 'macvlan' }, 404, /could not find plugin macvlan/],
    [
      { Name: 'x1', IPAM: { Config: [{ Subnet: '10.0.0.0' }] } },
      400,
      /invalid CIDR block notation/,
    ],
    [{ Name: 'x1', IPAM: { Config: [{ Gateway: 'here' }] } }, 400, /invalid gateway/],
    [{ Name: 'x1', Ingress: true }, 400, /swarm/],
  ];
  for (const [body, status, message] of refused) {
    const answer = await call(app, 'POST /networks/create', body);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.text, message);
  }
});

test('connect, disconnect, prune', async () => {
  const connected = await call(app, 'POST /networks/bridge/connect', {
    Container: 'web',
    EndpointConfig: { Aliases: ['app'], IPAMConfig: { IPv4Address: '10.0.0.5' } },
  });
  assert.equal(connected.status, 200);
  const { args } = backends.networks.calls.at(-1) ?? { args: [] };
  assert.deepEqual(args[2], {
    ...{ network: 'bridge', aliases: ['app'], ipv4Address: '10.0.0.5', macAddress: undefined },
  });
  assert.equal((await call(app, 'POST /networks/bridge/connect', {})).status, 400);
  const left = await call(app, 'POST /networks/bridge/disconnect', {
    Container: 'web',
    Force: true,
  });
  assert.equal(left.status, 200);
  assert.deepEqual((await call(app, 'POST /networks/prune')).body, { NetworksDeleted: ['old'] });
});

test('volumes: create, inspect, list, remove, prune', async () => {
  const created = await call(app, 'POST /volumes/create', { Name: 'data', Labels: { a: 'b' } });
  assert.equal(created.status, 201);
  assert.equal((created.body as { Mountpoint: string }).Mountpoint, '/volumes/data/_data');
  assert.equal((await call(app, 'POST /volumes/create', { Name: 'a/b' })).status, 400);
  assert.equal((await call(app, 'POST /volumes/create', { Driver: 'nfs' })).status, 404);
  assert.equal((await call(app, 'GET /volumes/data')).status, 200);
  assert.equal((await call(app, 'GET /volumes/none')).status, 404);
  const [form] = filterForms({ name: ['dat'] });
  const { body } = await call(app, `GET /volumes?${form}`);
  assert.equal((body as { Volumes: object[] }).Volumes.length, 1);
  assert.equal((await call(app, 'DELETE /volumes/data')).status, 204);
  assert.equal((await call(app, 'DELETE /volumes/data')).status, 404);
  assert.equal((await call(app, 'DELETE /volumes/data?force=1')).status, 204);
  assert.deepEqual((await call(app, 'POST /volumes/prune')).body, {
    VolumesDeleted: null,
    SpaceReclaimed: 0,
  });
});
