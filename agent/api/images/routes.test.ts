/** Every image route. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { call, filterForms } from '../testdata/call.ts';
import { createFakeApi } from '../testdata/serve-fake.ts';

const { api, backends } = createFakeApi();
const { images } = backends;
const { app } = api;

beforeEach(() => {
  images.calls.length = 0;
});

function lines(text: string): Record<string, unknown>[] {
  return text
    .split('\r\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function asked(name: string): unknown[] {
  return images.calls.filter((one) => one.name === name).map(({ args }) => args[0]);
}

test('list: newest first, with filters', async () => {
  const ids = async (query: string) =>
    ((await call(app, `GET /images/json?${query}`)).body as { Id: string }[]).map(
      ({ Id }) => Id[7],
    );
  assert.deepEqual(await ids(''), ['3', '2', '1']);
  for (const form of filterForms({ dangling: ['true'] })) assert.deepEqual(await ids(form), ['3']);
  for (const form of filterForms({ reference: ['corten/*'] }))
    assert.deepEqual(await ids(form), ['1']);
  for (const form of filterForms({ label: ['tier=base'] }))
    assert.deepEqual(await ids(form), ['1']);
});

test('inspect, history and save of a name with slashes, a port and a tag', async () => {
  const name = 'registry.example:5000/team/app:v1';
  const { body } = await call(app, `GET /images/${name}/json`);
  assert.deepEqual((body as { RepoTags: string[] }).RepoTags, [name]);
  assert.equal((await call(app, `GET /images/${encodeURIComponent(name)}/json`)).status, 200);
  assert.equal((await call(app, `GET /images/${name}/history`)).status, 200);
  assert.match((await call(app, `GET /images/${name}/get`)).text, /^sha256:2/);
  assert.match((await call(app, `GET /images/get?names=${name}&names=corten/starter`)).text, /,/);
  assert.equal((await call(app, 'GET /images/get')).status, 400);
  assert.equal((await call(app, 'GET /images/nobody/json')).status, 404);
});

test('pull: progress lines; a failure before the first is a status, a later one the last line', async () => {
  const good = await call(app, 'POST /images/create?fromImage=app&tag=v1');
  assert.equal(good.headers['content-type'], 'application/json');
  assert.deepEqual(lines(good.text), [
    { status: 'Pulling from app:v1', id: 'latest', progressDetail: {} },
    { status: 'Downloading', id: 'abc', progressDetail: { current: 5, total: 10 } },
    { status: 'Status: Downloaded newer image' },
  ]);
  const missing = await call(app, 'POST /images/create?fromImage=missing&tag=v1');
  assert.equal(missing.status, 404);
  const broken = await call(app, 'POST /images/create?fromImage=broken&tag=v1');
  assert.equal(broken.status, 200);
  assert.deepEqual(lines(broken.text).at(-1), {
    errorDetail: { message: 'the connection broke' },
    error: 'the connection broke',
  });
});

test('pull: tag, digest, every tag, and the login from its header', async () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const login = Buffer.from('{"username":"ann","password":"secret"}').toString('base64url');
  await call(app, `POST /images/create?fromImage=app&tag=${digest}`);
  await call(app, 'POST /images/create?fromImage=host:5000/app&platform=linux/arm64');
  await call(app, 'POST /images/create?fromImage=app&tag=v1', undefined, {
    'x-registry-auth': login,
  });
  const [byDigest, every, withLogin] = asked('pull') as {
    reference: string;
    allTags: boolean;
    platform?: string;
    credentials?: { username?: string; password?: string };
  }[];
  assert.deepEqual([byDigest?.reference, byDigest?.allTags], [`app@${digest}`, false]);
  assert.deepEqual([every?.allTags, every?.platform], [true, 'linux/arm64']);
  assert.deepEqual(
    [withLogin?.credentials?.username, withLogin?.credentials?.password],
    ['ann', 'secret'],
  );
  const bad = await call(app, 'POST /images/create?fromImage=app&tag=v1', undefined, {
    'x-registry-auth': 'e3',
  });
  assert.equal(bad.status, 400);
});

test('push, tag, remove', async () => {
  const pushed = await call(app, 'POST /images/corten/starter/push?tag=v2');
  assert.deepEqual(lines(pushed.text).at(-1), { aux: { Tag: 'v1', Digest: 'sha256:00', Size: 5 } });
  assert.equal((asked('push')[0] as { reference: string }).reference, 'corten/starter:v2');
  assert.equal((await call(app, 'POST /images/corten/starter/tag?repo=a/b&tag=c')).status, 201);
  assert.equal((await call(app, 'POST /images/corten/starter/tag')).status, 400);
  const removed = await call(app, `DELETE /images/sha256:${'3'.repeat(64)}?force=1&noprune=1`);
  assert.deepEqual(removed.body, [{ Deleted: `sha256:${'3'.repeat(64)}` }]);
  assert.deepEqual(images.calls.at(-1)?.args[1], { force: true, prune: false });
});

test('load and import take bytes of any content type', async () => {
  const tar = Buffer.alloc(2048);
  const loaded = await call(app, 'POST /images/load?quiet=1', tar, {
    'content-type': 'application/x-tar',
  });
  assert.deepEqual(lines(loaded.text), [{ stream: 'Loaded image: 2048 bytes\n' }]);
  const imported = await call(
    app,
    'POST /images/create?fromSrc=-&repo=a&tag=b&changes=CMD%20x',
    tar,
    {
      'content-type': 'text/plain',
    },
  );
  assert.equal(imported.status, 200);
  assert.deepEqual(asked('importRoot')[0], {
    ...{ repository: 'a', tag: 'b', changes: ['CMD x'], message: undefined },
  });
  assert.equal((await call(app, 'POST /images/create?fromSrc=http://x/y')).status, 501);
  assert.equal((await call(app, 'POST /images/create')).status, 400);
});

test('prune, commit, login, search', async () => {
  assert.deepEqual((await call(app, 'POST /images/prune')).body, {
    ImagesDeleted: [{ Deleted: 'sha256:3' }],
    SpaceReclaimed: 7,
  });
  assert.equal((asked('prune')[0] as { danglingOnly: boolean }).danglingOnly, true);
  const commit = await call(
    app,
    'POST /commit?container=a&repo=b&tag=c&changes=ENV%20A=1&pause=0',
    {},
  );
  assert.deepEqual([commit.status, commit.body], [201, { Id: 'sha256:committed' }]);
  const config = { Cmd: 'run', Env: null, Labels: { a: 'b' }, Tty: true };
  await call(app, 'POST /commit?container=a&changes=USER%20a%0AUSER%20b', config);
  assert.deepEqual(
    asked('commit').map((request) => ({
      ...(request as object),
      container: undefined,
    })),
    [
      {
        ...{ repository: 'b', tag: 'c', changes: ['ENV A=1'], pause: false },
        ...{ container: undefined, author: undefined, comment: undefined },
      },
      {
        ...{ repository: undefined, tag: undefined, changes: ['USER a', 'USER b'], pause: true },
        ...{ container: undefined, author: undefined, comment: undefined },
        config: { Cmd: ['run'], Labels: { a: 'b' } },
      },
    ],
  );
  const ill = await call(app, 'POST /commit?container=a', { Env: 'A=1' });
  assert.equal(ill.status, 400);
  const wrong = await call(app, 'POST /auth', { username: 'ann', password: 'wrong' });
  assert.equal(wrong.status, 401);
  const right = await call(app, 'POST /auth', { username: 'ann', password: 'secret' });
  assert.deepEqual(right.body, { Status: 'Login Succeeded', IdentityToken: 'token' });
  assert.equal((await call(app, 'GET /images/search?term=x')).status, 501);
});
