import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settings } from '../testdata/workbench.ts';
import { completed, configOfContainer } from './committed-config.ts';

const plain = (config: object) => JSON.parse(JSON.stringify(config)) as object;

test('what a container has of its own and of its image, and nothing that is the machine’s', () => {
  const given = settings({
    args: ['serve'],
    entrypoint: ['/entry'],
    env: ['PATH=/bin', 'https_proxy=http://me:secret@proxy', 'A=1'],
    labels: { a: 'b' },
    user: 'web',
    workingDirectory: '/srv',
  });
  const origin = { config: { Volumes: { '/own': {} } }, hostConfig: {} };
  const image = { Volumes: { '/data': {} }, Healthcheck: { Test: ['CMD', 'check'] } };
  const machine = ['https_proxy=http://me:secret@proxy'];
  const config = configOfContainer({ settings: given, origin } as never, image, machine);
  assert.deepEqual(plain(config), {
    User: 'web',
    Env: ['PATH=/bin', 'A=1'],
    Entrypoint: ['/entry'],
    Cmd: ['serve'],
    Volumes: { '/data': {}, '/own': {} },
    WorkingDir: '/srv',
    Labels: { a: 'b' },
    Healthcheck: { Test: ['CMD', 'check'] },
  });
  // A proxy that is the image's own stays the image's.
  const own = configOfContainer({ settings: given, origin } as never, { Env: machine }, machine);
  assert.equal(own.Env?.length, 3);
});

const container = {
  User: 'web',
  Env: ['A=1', 'B=2'],
  Entrypoint: ['/entry'],
  Cmd: ['serve'],
  ExposedPorts: { '80/tcp': {} },
  Labels: { a: 'b', c: 'd' },
  WorkingDir: '/srv',
};

test('what is not asked for is the container’s', () => {
  assert.deepEqual(plain(completed({}, container)), container);
  assert.deepEqual(
    plain(
      completed(
        { Env: ['B=3'], Labels: { a: 'x' }, ExposedPorts: { '53/udp': {} }, User: 'me' },
        container,
      ),
    ),
    {
      ...container,
      User: 'me',
      Env: ['B=3', 'A=1'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Labels: { a: 'x', c: 'd' },
    },
  );
});

test('an entrypoint of its own does not get the container’s arguments; an empty one takes away', () => {
  const { Cmd, ...others } = container;
  const asked = plain(completed({ Entrypoint: ['/new'] }, container));
  assert.deepEqual(asked, { ...others, Entrypoint: ['/new'] });
  const bare = completed({ Entrypoint: [] }, container);
  assert.deepEqual([bare.Entrypoint, bare.Cmd], [[], ['serve']]);
  assert.deepEqual(completed({ Cmd: ['x'] }, container).Entrypoint, ['/entry']);
});
