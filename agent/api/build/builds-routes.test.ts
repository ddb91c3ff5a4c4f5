/** The routes of builds that are our own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fastify } from 'fastify';
import { createApi } from '../server.ts';
import { call } from '../testdata/call.ts';
import { fakeBackends } from '../testdata/fake-backend.ts';
import { FakeBuilds } from '../testdata/fake-builds.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';
import { buildsRoutes } from './builds-routes.ts';
import { maxSecretBytes, WaitingSecrets } from './waiting-secrets.ts';

const builds = new FakeBuilds();
const { app } = createApi(
  { ...fakeBackends(), builds },
  { productVersion: '0.1.0', report: () => {} },
);

test('builds are listed, and told one by one', async () => {
  assert.deepEqual((await call(app, 'GET /corten/v1/builds')).body, builds.documents);
  const { body } = await call(app, 'GET /corten/v1/builds/runs');
  assert.deepEqual(body, await builds.inspect('runs'));
  assert.equal((await call(app, 'GET /corten/v1/builds/none')).status, 404);
});

test('progress comes as lines of JSON, and not at all for a build that is not there', async () => {
  const { text, headers } = await call(app, 'GET /corten/v1/builds/runs/progress');
  assert.equal(headers['content-type'], 'application/x-ndjson');
  const lines = text.trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line) as unknown),
    builds.lines,
  );
  const none = await call(app, 'GET /corten/v1/builds/none/progress');
  assert.deepEqual([none.status, none.body], [404, { message: 'there is no build none' }]);
});

test('one that runs is cancelled, and one that has ended is pinned, unpinned and removed', async () => {
  const status = async (line: string) => (await call(app, line)).status;
  assert.equal(await status('DELETE /corten/v1/builds/runs'), 409);
  assert.equal(await status('POST /corten/v1/builds/runs/cancel'), 204);
  assert.equal((await builds.inspect('runs')).state, 'cancelled');
  assert.equal(await status('POST /corten/v1/builds/done/cancel'), 409);
  assert.equal(await status('POST /corten/v1/builds/done/pin'), 204);
  assert.equal((await builds.inspect('done')).isPinned, true);
  assert.equal(await status('POST /corten/v1/builds/done/unpin'), 204);
  assert.equal((await builds.inspect('done')).isPinned, false);
  assert.equal(await status('DELETE /corten/v1/builds/done'), 204);
  assert.equal(await status('DELETE /corten/v1/builds/done'), 404);
});

test('secrets wait for their build, which takes them once', async () => {
  const secrets = new WaitingSecrets();
  const own = fastify();
  own.removeAllContentTypeParsers();
  own.addContentTypeParser('*', (_request, _payload, done) => done(null));
  buildsRoutes(own, builds, secrets);
  const put = (value: object) => call(own, 'PUT /corten/v1/builds/new/secrets', value);
  const npmrc = Buffer.from('//registry:_authToken=x');
  assert.equal((await put({ secrets: { npmrc: npmrc.toString('base64') } })).status, 204);
  assert.deepEqual(secrets.take('new'), new Map([['npmrc', npmrc]]));
  assert.equal(secrets.take('new'), undefined);
  assert.equal(secrets.take(undefined), undefined);
});

test('secrets that are no base64 or too long are refused by name, without their value', () => {
  const secrets = new WaitingSecrets();
  assert.throws(() => secrets.leave('a', { token: 'not base64!' }), {
    message: 'the secret token is not in base64',
  });
  const long = Buffer.alloc(maxSecretBytes + 1).toString('base64');
  assert.throws(() => secrets.leave('a', { token: long }), /the secret token has \d+ bytes/);
  assert.equal(secrets.take('a'), undefined);
});

test('without a builder there are no such routes', async () => {
  assert.equal((await call(createFakeApi().api.app, 'GET /corten/v1/builds')).status, 404);
});
