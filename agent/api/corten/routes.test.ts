/** The routes of our own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IsolationReport } from '../../contract/isolation.ts';
import { call } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { app } = api;

test('ping says who we are', async () => {
  assert.deepEqual((await call(app, 'GET /corten/v1/ping')).body, {
    name: 'corten',
    version: '0.1.0',
  });
});

test('limits are read, changed, and taken away by null', async () => {
  await call(app, 'POST /containers/create?name=web', { Image: 'x', HostConfig: { Memory: 64e6 } });
  const path = '/corten/v1/containers/web/limits';
  assert.deepEqual((await call(app, `GET ${path}`)).body, {
    memory: { maxBytes: 64e6, maxWithSwapBytes: 128e6 },
    pids: 4096,
    log: { maxBytes: 20 * 1024 * 1024, maxFiles: 3 },
  });
  const change = {
    memory: { maxBytes: null, highBytes: 32e6, oomGroup: false },
    cpu: { quotaMicros: 50_000 },
    pids: 20,
    hugetlb: [{ pageBytes: 2_097_152, maxBytes: 0, reservedMaxBytes: null }],
    network: { egressBytesPerSecond: 1e6, ingressBytesPerSecond: null },
    openFiles: 256,
    log: { maxBytes: null, maxFiles: 2 },
  };
  const changed = await call(app, `POST ${path}`, change);
  assert.deepEqual([changed.status, changed.body], [200, { limits: change, warnings: [] }]);
  assert.deepEqual(backends.containers.calls.at(-1), {
    name: 'update',
    args: ['web', { limits: change }],
  });
  assert.equal((await call(app, 'GET /corten/v1/containers/none/limits')).status, 404);
});

test('the isolation report is the engine’s, as it is', async () => {
  const path = '/corten/v1/containers/web/isolation';
  const planned = await call(app, `GET ${path}`);
  const { source, namespaces } = planned.body as IsolationReport;
  assert.deepEqual([planned.status, source, namespaces[0]?.id], [200, 'plan', 'namespace.pid.own']);
  await backends.containers.start('web');
  assert.deepEqual(
    (await call(app, `GET ${path}`)).body,
    await backends.containers.isolation('web'),
  );
  assert.equal((await call(app, 'GET /corten/v1/containers/none/isolation')).status, 404);
  assert.equal((await call(app, `POST ${path}`, {})).status, 404);
});

test('processes of the machine are the engine’s, as they are', async () => {
  const { status, body } = await call(app, 'GET /corten/v1/machine/processes');
  assert.deepEqual([status, body], [200, await backends.system.processes()]);
});

test('what the machine lets the engine do is the engine’s to say', async () => {
  const { status, body } = await call(app, 'GET /corten/v1/machine/abilities');
  assert.deepEqual([status, body], [200, backends.system.abilities()]);
});

test('a dry run asks the engine and changes nothing', async () => {
  const path = '/corten/v1/containers/web/limits';
  const before = (await call(app, `GET ${path}`)).body;
  const asked = await call(app, `POST ${path}?dryRun=true`, { pids: 3 });
  assert.deepEqual(asked.body, {
    limits: { ...(before as object), pids: 3 },
    warnings: ['only asked'],
  });
  assert.deepEqual(backends.containers.calls.at(-1)?.args, [
    'web',
    { limits: { pids: 3 }, dryRun: true },
  ]);
  assert.deepEqual((await call(app, `GET ${path}`)).body, before);
});

test('limits are read strictly', async () => {
  const refused: [body: object, message: RegExp][] = [
    [{ memmory: {} }, /limits\.memmory is not a limit; known are cpu, .*\bdisk/],
    [{ disk: { maxBytes: 4095 } }, /limits\.disk\.maxBytes must be a whole number of at least/],
    [{ disk: { size: '10g' } }, /limits\.disk\.size is not a limit; known are maxBytes, maxInodes/],
    [{ memory: { maxBytes: 1 } }, /limits\.memory\.maxBytes must be a whole number of at least/],
    [{ cpu: { cpus: 'all' } }, /must be a list such as "0-2,4"/],
    [{ pids: 0 }, /limits\.pids/],
    [{ openFiles: 1 }, /limits\.openFiles must be a whole number from 16 to/],
    [{ network: { egressBytesPerSecond: 10 } }, /egressBytesPerSecond must be .* at least 1000/],
    [{ network: { up: 1 } }, /network\.up is not a limit/],
    [{ log: { maxFiles: 0 } }, /limits\.log\.maxFiles/],
    [{ hugetlb: [{ maxBytes: 0 }] }, /hugetlb\[0\]\.pageBytes is missing/],
    [{ hugetlb: {} }, /limits\.hugetlb must be a list/],
    [{ memory: { oomGroup: 1 } }, /oomGroup must be true or false/],
    [{ io: { devices: [{ weight: 100 }] } }, /limits\.io\.devices\[0\]\.device is missing/],
  ];
  for (const [body, message] of refused) {
    const answer = await call(app, 'POST /corten/v1/containers/web/limits', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.match((answer.body as { message: string }).message, message);
  }
});

test('pressure: now, of all, and one document a line', async () => {
  const path = '/corten/v1/containers/web/pressure';
  const now = await call(app, `GET ${path}`);
  assert.equal((now.body as { name: string }).name, 'web');
  const stream = await call(app, `GET ${path}?stream=true`);
  const documents = stream.text.trimEnd().split('\n');
  assert.deepEqual(
    documents.map((line) => JSON.parse(line)),
    [now.body, now.body, now.body],
  );
  assert.deepEqual((await call(app, 'GET /corten/v1/pressure')).body, {
    machine: null,
    containers: [now.body],
  });
  for (const view of ['pressure', 'pressure?stream=true', 'history', 'suggestions'])
    assert.equal((await call(app, `GET /corten/v1/containers/none/${view}`)).status, 404, view);
});

test('history: an hour by seconds, unless less is asked for; more is refused', async () => {
  const path = '/corten/v1/containers/web/history';
  await call(app, `GET ${path}`);
  await call(app, `GET ${path}?seconds=60&step=10`);
  assert.deepEqual(
    backends.pressure.calls.slice(-2).map(({ args }) => args[1]),
    [
      { seconds: 3600, stepSeconds: 1 },
      { seconds: 60, stepSeconds: 10 },
    ],
  );
  for (const wrong of ['seconds=3601', 'seconds=0', 'step=0', 'step=x']) {
    const answer = await call(app, `GET ${path}?${wrong}`);
    assert.equal(answer.status, 400, wrong);
  }
});

test('disk limits and use of containers and volumes', async () => {
  const maxBytes = 64 * 1024 * 1024;
  const HostConfig = { StorageOpt: { size: '64m' } };
  await call(app, 'POST /containers/create?name=small', { Image: 'x', HostConfig });
  await call(app, 'POST /containers/create?name=free', { Image: 'x' });
  const used = { usedBytes: 12, maxBytes, usedInodes: 3, maxInodes: null, inodesAreFixed: false };
  const unknown = {
    ...{ usedBytes: null, maxBytes: null },
    ...{ usedInodes: null, maxInodes: null, inodesAreFixed: false },
  };
  const get = async (path: string) => (await call(app, `GET /corten/v1/${path}`)).body;
  assert.deepEqual(await get('containers/small/disk'), used);
  assert.deepEqual(await get('containers/free/disk'), unknown);
  assert.deepEqual(((await get('containers/small/limits')) as { disk: object }).disk, { maxBytes });
  await call(app, 'POST /volumes/create', { Name: 'data' });
  assert.deepEqual(await get('volumes/data/limits'), {});
  assert.deepEqual(await get('volumes/data/disk'), unknown);
  const path = 'POST /corten/v1/volumes/data/limits';
  const changed = await call(app, path, { disk: { maxBytes } });
  assert.deepEqual(changed.body, { limits: { disk: { maxBytes } }, warnings: [] });
  assert.deepEqual(await get('volumes/data/disk'), used);
  const dry = await call(app, `${path}?dryRun=true`, { disk: { maxBytes: maxBytes / 8 } });
  const smaller = { disk: { maxBytes: maxBytes / 8 } };
  assert.deepEqual(dry.body, { limits: smaller, warnings: ['too small'] });
  assert.deepEqual(await get('volumes/data/disk'), used, 'a dry run changes nothing');
  assert.equal((await call(app, path, { memory: {} })).status, 400);
  assert.equal((await call(app, 'GET /corten/v1/volumes/none/disk')).status, 404);
});

test('proxies are set and shown; what is not set is none', async () => {
  const { api, backends } = createFakeApi();
  const put = (payload: object) =>
    api.app.inject({ method: 'PUT', url: '/corten/v1/machine/proxies', payload });
  const set = await put({ https: 'http://proxy.example:3128', noProxy: 'a,b', containers: true });
  assert.equal(set.statusCode, 200);
  assert.deepEqual(backends.system.proxySettings, {
    http: undefined,
    https: 'http://proxy.example:3128',
    noProxy: 'a,b',
    containers: true,
  });
  const info = (await api.app.inject('/info')).json();
  assert.equal(info.HttpsProxy, 'http://proxy.example:3128');
  assert.equal(info.HttpProxy, '');
  assert.equal((await put({ https: 5 })).statusCode, 400);
});
