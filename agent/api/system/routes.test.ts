/** The routes about the engine as a whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, filterForms } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { app } = api;

test('ping, version, info', async () => {
  const head = await call(app, 'HEAD /_ping');
  assert.deepEqual([head.status, head.text, head.headers['builder-version']], [200, '', '1']);
  assert.equal((await call(app, 'GET /_ping')).text, 'OK');
  const version = (await call(app, 'GET /version')).body as Record<string, unknown>;
  assert.deepEqual(
    [version.ApiVersion, version.MinAPIVersion, version.Arch],
    ['1.47', '1.24', 'amd64'],
  );
  const info = (await call(app, 'GET /info')).body as Record<string, unknown>;
  assert.deepEqual([info.NCPU, info.CgroupVersion, info.MemoryLimit], [2, '1', true]);
});

test('disk usage: all of it, or the kinds that were asked for', async () => {
  const all = (await call(app, 'GET /system/df')).body as Record<string, unknown[]>;
  assert.equal(all.Images?.length, 3);
  const some = (await call(app, 'GET /system/df?type=volume')).body as Record<string, unknown>;
  assert.deepEqual([some.Images, some.Volumes], [null, []]);
  assert.equal((await call(app, 'GET /system/df?type=moon')).status, 400);
});

test('events: what was, filtered; times that are none are refused', async () => {
  const { system } = backends;
  system.emit('container', 'exec_start: sh', 'abc', { name: 'one', image: 'app:v1', who: 'me' });
  system.emit('network', 'connect', 'net', { name: 'front', container: 'abc' });
  system.emit('image', 'pull', 'app:v1', { name: 'app' });
  const actions = async (filters: Record<string, string[]>) => {
    const seen: string[][] = [];
    for (const form of filterForms(filters)) {
      const { text } = await call(app, `GET /events?since=0&until=${Date.now() / 1000}&${form}`);
      seen.push(
        text
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line).Action),
      );
    }
    assert.deepEqual(seen[0], seen[1]);
    return seen[0]?.filter((action) => action !== 'create');
  };
  assert.deepEqual(await actions({ type: ['network'] }), ['connect']);
  assert.deepEqual(await actions({ event: ['exec_start'] }), ['exec_start: sh']);
  assert.deepEqual(await actions({ container: ['one'] }), ['exec_start: sh']);
  assert.deepEqual(await actions({ image: ['app'] }), ['exec_start: sh', 'pull']);
  assert.deepEqual(await actions({ label: ['who=me'] }), ['exec_start: sh']);
  assert.deepEqual(await actions({ type: ['network', 'image'] }), ['connect', 'pull']);
  assert.equal((await call(app, 'GET /events?until=tomorrow')).status, 400);
});
