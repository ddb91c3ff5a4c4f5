/** What holds for every route: versions, errors, JSON, filters, connections. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { patienceMs } from '../e2e/patience.ts';
import { CortenError, type ErrorKind, statusOf } from '../errors.ts';
import { maxJsonBytes } from './json-body.ts';
import { call, filterForms } from './testdata/call.ts';
import { createFakeApi, serveFake } from './testdata/serve-fake.ts';

const { api, backends, reported } = createFakeApi();
const { app } = api;

test('every reply says what we speak', async () => {
  for (const line of ['HEAD /_ping', 'GET /info', 'GET /nowhere', 'GET /v1.99/info']) {
    const { headers } = await call(app, line);
    assert.equal(headers['api-version'], '1.47', line);
    assert.equal(headers.ostype, 'linux', line);
    assert.match(String(headers.server), /^Corten\//, line);
  }
});

test('versions: without, oldest, newest, and either side of them', async () => {
  for (const prefix of ['', '/v1.24', '/v1.41', '/v1.47'])
    assert.equal((await call(app, `GET ${prefix}/version`)).status, 200, prefix);
  const tooNew = await call(app, 'GET /v1.48/version');
  assert.deepEqual(
    [tooNew.status, tooNew.body],
    [400, { message: 'client version 1.48 is too new. Maximum supported API version is 1.47' }],
  );
  const tooOld = await call(app, 'GET /v1.23/version');
  assert.equal(tooOld.status, 400);
  assert.match(
    tooOld.text,
    /client version 1\.23 is too old\. Minimum supported API version is 1\.24/,
  );
});

test('a page that is not there is 404 with a message', async () => {
  for (const line of [
    'GET /nowhere',
    'POST /v1.47/containers/x/nothing',
    'GET /images/a/b/nothing',
  ]) {
    const { status, body, headers } = await call(app, line);
    assert.deepEqual([status, body], [404, { message: 'page not found' }], line);
    assert.equal(headers['content-type'], 'application/json');
  }
});

const statuses: Record<ErrorKind, number> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  'not-found': 404,
  conflict: 409,
  internal: 500,
  'not-implemented': 501,
  unavailable: 503,
  'not-modified': 304,
};

for (const [kind, status] of Object.entries(statuses) as [ErrorKind, number][]) {
  test(`an error that is ${kind} is answered with ${status}`, async (t) => {
    assert.equal(statusOf(new CortenError(kind, 'x')), status);
    t.mock.method(backends.containers, 'pause', async () => {
      throw new CortenError(kind, 'the reason and what to do');
    });
    const answer = await call(app, 'POST /containers/any/pause');
    assert.equal(answer.status, status);
    // RFC 9110 15.4.5: no body with 304.
    if (status === 304) assert.equal(answer.text, '');
    else assert.deepEqual(answer.body, { message: 'the reason and what to do' });
  });
}

test('an unexpected failure is 500 and is reported, an expected one is not', async (t) => {
  reported.length = 0;
  t.mock.method(backends.containers, 'pause', async () => {
    throw new Error('a bug');
  });
  assert.deepEqual((await call(app, 'POST /containers/any/pause')).body, { message: 'a bug' });
  assert.equal(reported.length, 1);
  await call(app, 'GET /containers/missing/json');
  assert.equal(reported.length, 1);
});

test('JSON: broken, empty, of the wrong kind, of another type', async () => {
  const refused: [body: string, message: RegExp, contentType?: string][] = [
    ['{', /^invalid JSON: /],
    ['', /got EOF/],
    ['[]', /the request body must be an object, not \[\]/],
    ['"x"', /must be an object/],
    ['null', /must be an object/],
    ['{"Image": 5}', /Image must be a string, not 5/],
    ['Image=x', /unsupported Content-Type header \(text\/plain\)/, 'text/plain'],
  ];
  for (const [body, message, contentType = 'application/json'] of refused) {
    const answer = await call(app, 'POST /containers/create', body, {
      'content-type': contentType,
    });
    assert.equal(answer.status, 400, body);
    assert.match((answer.body as { message: string }).message, message);
  }
});

test('JSON: a charset, and no content type at all, are fine; names match in any case', async () => {
  const body = '{"image": "corten/starter", "cmd": ["echo"]}';
  const types: Record<string, string>[] = [
    { 'content-type': 'application/json; charset=utf-8' },
    {},
  ];
  for (const headers of types) {
    const { status } = await call(app, 'POST /containers/create', body, headers);
    assert.equal(status, 201);
  }
  const view = backends.containers.list().at(-1);
  assert.deepEqual(view?.settings.args, ['echo']);
});

test('JSON: more than the limit is refused, and the refusal arrives', async () => {
  const answer = await call(app, 'POST /containers/create', Buffer.alloc(maxJsonBytes + 1, ' '));
  assert.equal(answer.status, 400);
  assert.match(answer.text, /too large/);
});

test('filters: both forms mean the same, an unknown one is refused, so is nonsense', async () => {
  await call(app, 'POST /containers/create?name=red', { Image: 'x', Labels: { colour: 'red' } });
  for (const form of filterForms({ label: ['colour=red'] })) {
    const { body } = await call(app, `GET /containers/json?all=1&${form}`);
    assert.deepEqual(
      (body as { Names: string[] }[]).map(({ Names }) => Names[0]),
      ['/red'],
    );
  }
  for (const path of ['/containers/json', '/images/json', '/networks', '/volumes', '/events']) {
    const [form] = filterForms({ nonsense: ['1'] });
    const { status, body } = await call(app, `GET ${path}?${form}`);
    assert.deepEqual([status, body], [400, { message: "invalid filter 'nonsense'" }], path);
  }
  for (const text of ['{', '[]', '{"label": 5}', '{"label": [5]}'])
    assert.equal(
      (await call(app, `GET /networks?filters=${encodeURIComponent(text)}`)).status,
      400,
      text,
    );
});

test('swarms are somebody else’s, plugins are none, building is not served', async () => {
  assert.equal((await call(app, 'GET /swarm')).status, 503);
  assert.equal((await call(app, 'GET /services')).status, 503);
  assert.deepEqual((await call(app, 'GET /plugins')).body, []);
  assert.equal((await call(app, 'POST /build', 'tar')).status, 501);
  assert.deepEqual((await call(app, 'POST /build/prune')).body, {
    CachesDeleted: null,
    SpaceReclaimed: 0,
  });
});

test('on a socket: a chunked body, a reused connection, a second engine', async () => {
  const served = await serveFake();
  try {
    const posted = httpRequest({
      socketPath: served.socketPath,
      path: '/v1.47/containers/create',
      method: 'POST',
      headers: { 'Transfer-Encoding': 'chunked', 'Content-Type': 'application/json' },
    });
    posted.write('{"Image":');
    posted.end(' "corten/starter"}');
    const [response] = await once(posted, 'response');
    assert.equal(response.statusCode, 201);
    response.resume();

    const socket = connect(served.socketPath);
    for (const _ of [1, 2]) {
      socket.write('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 OK\r\n(.|\r\n)*OK$/);
    }
    socket.destroy();

    const second = createFakeApi();
    await assert.rejects(second.api.listen(served.socketPath), { kind: 'conflict' });
    await second.close();
  } finally {
    await served.close();
  }
});

test('close ends every stream and every hijacked connection', { timeout: patienceMs }, async () => {
  const served = await serveFake();
  const { id } = await served.backends.containers.create({
    name: 'open',
    settings: { ...(await settings(served)), args: ['sleep'] },
    origin: { config: {}, hostConfig: {}, networkingConfig: {} },
  });
  await served.backends.containers.start(id);
  const open = [
    'GET /events HTTP/1.1\r\nHost: x\r\n\r\n',
    `GET /containers/${id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `POST /containers/${id}/wait HTTP/1.1\r\nHost: x\r\n\r\n`,
    `POST /containers/${id}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  ].map((text) => {
    const socket = connect(served.socketPath, () => socket.write(text));
    socket.on('error', () => {});
    return socket;
  });
  await Promise.all(open.map((socket) => once(socket, 'data')));
  const ended = Promise.all(open.map((socket) => once(socket, 'close')));
  await served.close();
  await ended;
  assert.equal(served.backends.containers.inspect(id).state.status, 'running');
});

async function settings(served: Awaited<ReturnType<typeof serveFake>>) {
  await call(served.api.app, 'POST /containers/create?name=pattern', { Image: 'corten/starter' });
  return served.backends.containers.inspect('pattern').settings;
}
