import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { app } = api;
const base = '/corten/v1/images/registry.example:5000/team/app:v1/layers';

test('layers come with their instructions, those without one at the end', async () => {
  const { status, body } = await call(app, `GET ${base}`);
  const [diffId] = backends.images.inspect('registry.example:5000/team/app:v1').diffIds;
  assert.equal(status, 200);
  assert.deepEqual(body, [
    { createdBy: 'ADD', comment: '', createdAt: '1970-01-01T00:00:01.000Z', sizeBytes: 9 },
    { createdBy: '', comment: '', diffId },
  ]);
  assert.equal((await call(app, 'GET /corten/v1/images/none/layers')).status, 404);
  assert.equal((await call(app, 'GET /corten/v1/images/none')).status, 404);
});

test('files of a layer are asked for by directory and page', async () => {
  const diffId = `sha256:${'a'.repeat(64)}`;
  const { status, body } = await call(
    app,
    `GET ${base}/${diffId}/files?path=/etc&after=motd&limit=3`,
  );
  assert.deepEqual([status, body], [200, { files: [], hasMore: false }]);
  assert.deepEqual(backends.images.calls.at(-1), {
    name: 'layerFiles',
    args: ['registry.example:5000/team/app:v1', diffId, { path: '/etc', after: 'motd', limit: 3 }],
  });
  assert.equal((await call(app, `GET ${base}/${diffId}/files?limit=501`)).status, 400);
  assert.equal((await call(app, `GET ${base}/sha256:1/files`)).status, 404);
});
