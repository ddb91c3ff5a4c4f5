/** Every container route: what the engine is asked, and with which status it is answered. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { patienceMs } from '../../e2e/patience.ts';
import { call } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { containers } = backends;
const { app } = api;

beforeEach(() => {
  containers.entries.clear();
  containers.calls.length = 0;
  containers.files.clear();
});

async function create(name: string, body: object = {}): Promise<string> {
  const reply = await call(app, `POST /containers/create?name=${name}`, {
    Image: 'corten/starter',
    ...body,
  });
  assert.equal(reply.status, 201, reply.text);
  return (reply.body as { Id: string }).Id;
}

async function run(name: string, ...command: string[]): Promise<string> {
  const id = await create(name, { Cmd: command });
  assert.equal((await call(app, `POST /containers/${name}/start`)).status, 204);
  return id;
}

function asked(name: string): unknown[][] {
  return containers.calls.filter((one) => one.name === name).map(({ args }) => args);
}

test('create: 201 with warnings, 404 without the image, 409 for a taken name', async () => {
  const { status, body } = await call(app, 'POST /containers/create?name=a1', {
    Image: 'corten/starter',
    HostConfig: { CgroupParent: 'x' },
  });
  assert.equal(status, 201);
  assert.match((body as { Warnings: string[] }).Warnings.join(), /cgroup-parent/);
  assert.equal((await call(app, 'POST /containers/create', { Image: 'missing' })).status, 404);
  const taken = await call(app, 'POST /containers/create?name=a1', { Image: 'corten/starter' });
  assert.equal(taken.status, 409);
  assert.match(taken.text, /is already in use by container/);
});

test('start and stop: 204, and 304 without a body when there is nothing to do', async () => {
  await run('s1', 'sleep');
  const again = await call(app, 'POST /containers/s1/start');
  assert.deepEqual([again.status, again.text], [304, '']);
  assert.equal((await call(app, 'POST /containers/s1/stop?t=3&signal=SIGINT')).status, 204);
  assert.deepEqual(asked('stop')[0]?.[1], { signal: 'SIGINT', timeoutSeconds: 3 });
  const stopped = await call(app, 'POST /containers/s1/stop');
  assert.deepEqual([stopped.status, stopped.text], [304, '']);
  assert.equal((await call(app, 'POST /containers/s1/stop?t=soon')).status, 400);
  assert.equal((await call(app, 'POST /containers/s1/restart')).status, 204);
  assert.equal(containers.inspect('s1').state.status, 'running');
});

test('kill: the signal is checked, a stopped container is a conflict', async () => {
  await run('k1', 'sleep');
  assert.equal((await call(app, 'POST /containers/k1/kill?signal=NONSENSE')).status, 400);
  assert.equal((await call(app, 'POST /containers/k1/kill')).status, 204);
  assert.equal((await call(app, 'POST /containers/k1/kill')).status, 409);
});

test('pause, unpause, rename, resize and update', async () => {
  await run('p1', 'sleep');
  assert.equal((await call(app, 'POST /containers/p1/pause')).status, 204);
  assert.equal((await call(app, 'POST /containers/p1/pause')).status, 409);
  assert.equal((await call(app, 'POST /containers/p1/unpause')).status, 204);
  assert.equal((await call(app, 'POST /containers/p1/rename?name=p2')).status, 204);
  assert.equal((await call(app, 'POST /containers/p2/rename')).status, 400);
  assert.equal((await call(app, 'POST /containers/p2/resize?h=24&w=80')).status, 200);
  assert.deepEqual(asked('resize')[0]?.slice(1), [24, 80]);
  assert.equal((await call(app, 'POST /containers/p2/resize?h=-1&w=80')).status, 400);
  const updated = await call(app, 'POST /containers/p2/update', {
    Memory: 64e6,
    RestartPolicy: { Name: 'always' },
  });
  assert.deepEqual([updated.status, updated.body], [200, { Warnings: [] }]);
  assert.deepEqual(asked('update')[0]?.[1], {
    limits: { memory: { maxBytes: 64e6 } },
    restart: { name: 'always', maximumRetryCount: 0 },
  });
});

test('remove: 409 while it runs, force, volumes, and no links', async () => {
  const id = await run('r1', 'sleep');
  assert.equal((await call(app, 'DELETE /containers/r1')).status, 409);
  assert.equal((await call(app, 'DELETE /containers/r1?link=1')).status, 400);
  assert.equal((await call(app, 'DELETE /containers/r1?force=1&v=1')).status, 204);
  assert.deepEqual(asked('remove').at(-1), ['r1', { force: true, volumes: true }]);
  assert.equal((await call(app, `GET /containers/${id}/json`)).status, 404);
});

test('wait: the exit code, a bad condition, nobody there', async () => {
  await create('w1', { Cmd: ['exit', '4'] });
  const waiting = call(app, 'POST /containers/w1/wait?condition=next-exit');
  await call(app, 'POST /containers/w1/start');
  assert.deepEqual((await waiting).body, { StatusCode: 4 });
  assert.deepEqual((await call(app, 'POST /containers/w1/wait')).body, { StatusCode: 4 });
  assert.equal((await call(app, 'POST /containers/w1/wait?condition=tired')).status, 400);
  assert.equal((await call(app, 'POST /containers/nobody/wait')).status, 404);
});

test('inspect and ps: full id, prefix, name with a slash; 400 for several', async () => {
  const id = await run('i1', 'sleep');
  for (const reference of [id, id.slice(0, 12), 'i1', encodeURIComponent('/i1')]) {
    const { body } = await call(app, `GET /containers/${reference}/json`);
    assert.equal((body as { Id: string }).Id, id, reference);
  }
  const sized = await call(app, 'GET /containers/i1/json?size=1');
  assert.equal((sized.body as { SizeRw: number }).SizeRw, 10);
  const other = await create('i2');
  const rows = async (query: string) =>
    ((await call(app, `GET /containers/json?${query}`)).body as { Id: string }[]).map(
      ({ Id }) => Id,
    );
  assert.deepEqual(await rows(''), [id]);
  assert.deepEqual((await rows('all=1')).sort(), [id, other].sort());
  assert.equal((await rows('limit=1')).length, 1);
  assert.equal((await call(app, 'GET /containers/json?limit=x')).status, 400);
  for (const twin of containers.entries.values()) twin.view.id = `ff${twin.view.id.slice(2)}`;
  assert.equal((await call(app, 'GET /containers/ff/json')).status, 400);
});

test('an exec that has not ended is named by inspect', async () => {
  await run('e1', 'sleep');
  const { status, body } = await call(app, 'POST /containers/e1/exec', { Cmd: ['sleep'] });
  assert.equal(status, 201);
  const { Id } = body as { Id: string };
  const inspected = await call(app, 'GET /containers/e1/json');
  assert.deepEqual((inspected.body as { ExecIDs: string[] }).ExecIDs, [Id]);
  assert.equal((await call(app, `POST /exec/${Id}/start`, { Detach: true })).status, 200);
  assert.equal((await call(app, `POST /exec/${Id}/start`, { Detach: true })).status, 409);
  assert.equal((await call(app, `POST /exec/${Id}/resize?h=5&w=9`)).status, 200);
  assert.equal((await call(app, 'GET /exec/nothing/json')).status, 404);
  assert.equal((await call(app, 'POST /containers/e1/exec', { Cmd: [] })).status, 400);
  await create('e2');
  assert.equal((await call(app, 'POST /containers/e2/exec', { Cmd: ['sleep'] })).status, 409);
});

test('top, changes, stats', async () => {
  await run('t1', 'sleep');
  const top = await call(app, 'GET /containers/t1/top?ps_args=aux');
  assert.deepEqual(top.body, { Titles: ['PID', 'CMD'], Processes: [['4321', 'sleep']] });
  assert.deepEqual(asked('top')[0]?.[1], 'aux');
  assert.deepEqual((await call(app, 'GET /containers/t1/changes')).body, [
    { Path: '/a', Kind: 0 },
    { Path: '/b', Kind: 1 },
    { Path: '/c', Kind: 2 },
  ]);
  const stats = await call(app, 'GET /containers/t1/stats?stream=0&one-shot=1');
  assert.equal((stats.body as { name: string }).name, '/t1');
});

test('logs: frames, timestamps and details inside them, tail, and one stream at least', async () => {
  await run('l1', 'seq', '2');
  await containers.wait('l1', 'not-running', AbortSignal.timeout(patienceMs));
  const plain = await call(app, 'GET /containers/l1/logs?stdout=1&tail=1');
  assert.equal(plain.headers['content-type'], 'application/vnd.docker.multiplexed-stream');
  assert.equal(plain.text, '\x01\0\0\0\0\0\0\x022\n');
  const old = await call(app, 'GET /v1.41/containers/l1/logs?stdout=1');
  assert.equal(old.headers['content-type'], 'application/vnd.docker.raw-stream');
  const dressed = await call(app, 'GET /containers/l1/logs?stdout=1&timestamps=1&details=1&tail=1');
  assert.match(dressed.text.slice(8), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z {2}2\n$/);
  assert.equal((await call(app, 'GET /containers/l1/logs')).status, 400);
  assert.equal((await call(app, 'GET /containers/l1/logs?stdout=1&since=noon')).status, 400);
});

test('archives: the stat header, bytes in and out, a path is needed', async () => {
  await create('c1');
  const head = await call(app, 'HEAD /containers/c1/archive?path=/etc');
  const stat = JSON.parse(
    Buffer.from(String(head.headers['x-docker-container-path-stat']), 'base64').toString(),
  );
  // Go's FileMode: the directory bit is the highest of all.
  assert.deepEqual([stat.name, stat.mode], ['etc', 0x80000000 + 0o755]);
  const get = await call(app, 'GET /containers/c1/archive?path=/a.txt');
  assert.equal(get.headers['content-type'], 'application/x-tar');
  assert.ok(get.headers['x-docker-container-path-stat']);
  const put = await call(
    app,
    'PUT /containers/c1/archive?path=/root&noOverwriteDirNonDir=1&copyUIDGID=true',
    Buffer.from('tar bytes'),
    { 'content-type': 'application/x-tar' },
  );
  assert.equal(put.status, 200);
  assert.equal(containers.files.get('/root')?.toString(), 'tar bytes');
  assert.deepEqual(asked('writeArchive')[0]?.[2], {
    noOverwriteDirectoryNonDirectory: true,
    copyUidGid: true,
  });
  assert.equal((await call(app, 'GET /containers/c1/archive')).status, 400);
  assert.equal((await call(app, 'HEAD /containers/c1/archive?path=/missing')).status, 404);
  assert.match((await call(app, 'GET /containers/c1/export')).text, /whole root/);
});

test('prune: filters go through, nothing is null', async () => {
  const id = await create('old');
  const filters = encodeURIComponent('{"until":["10m"],"label!":["keep"]}');
  const { body } = await call(app, `POST /containers/prune?filters=${filters}`);
  assert.deepEqual(body, { ContainersDeleted: [id], SpaceReclaimed: 5 });
  const [filter] = asked('prune')[0] as [{ until: Date; labels: object[] }];
  assert.deepEqual(filter.labels, [{ key: 'keep', negated: true }]);
  assert.ok(filter.until.getTime() <= Date.now() - 600_000);
  const second = await call(app, 'POST /containers/prune');
  assert.equal((second.body as { ContainersDeleted: null }).ContainersDeleted, null);
});
