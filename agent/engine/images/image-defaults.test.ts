import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settings } from '../testdata/workbench.ts';
import { processOf, withImageDefaults } from './image-defaults.ts';

const image = {
  Entrypoint: ['/entry'],
  Cmd: ['default'],
  Env: ['PATH=/bin', 'MODE=image', 'GONE=1'],
  Labels: { from: 'image', mode: 'image' },
  User: 'web',
  WorkingDir: '/srv',
  StopSignal: 'SIGINT',
  ExposedPorts: { '80/tcp': {} },
  Healthcheck: { Test: ['CMD', 'check'], Interval: 2_000_000_000 },
} as const;

const merged = (change: Parameters<typeof settings>[0] = {}) =>
  withImageDefaults(settings(change), structuredClone(image) as never);

test('what nobody gives comes from the image', () => {
  const result = merged();
  assert.deepEqual(processOf(result), {
    path: '/entry',
    args: ['default'],
    env: ['PATH=/bin', 'MODE=image', 'GONE=1'],
    workingDirectory: '/srv',
    user: 'web',
  });
  assert.equal(result.stopSignal, 'SIGINT');
  assert.equal(result.health?.intervalMs, 2000);
  assert.deepEqual(result.network.exposedPorts, ['80/tcp']);
});

test('what is given goes before it', () => {
  const result = merged({ env: ['MODE=mine', 'GONE'], labels: { mode: 'mine' }, args: ['mine'] });
  assert.deepEqual(result.env, ['PATH=/bin', 'MODE=mine']);
  assert.deepEqual(result.labels, { from: 'image', mode: 'mine' });
  assert.deepEqual(processOf(result).args, ['mine']);
});

test('an entrypoint of one’s own does not get the image’s arguments', () => {
  const result = processOf(merged({ entrypoint: ['/mine'] }));
  assert.deepEqual([result.path, ...result.args], ['/mine']);
});

test('an empty entrypoint takes the image’s away', () => {
  assert.equal(processOf(merged({ entrypoint: [''], args: ['sh'] })).path, 'sh');
});

test('nothing to run is refused', () => {
  assert.throws(() => processOf(settings()), { kind: 'invalid', message: /No command specified/ });
});

test('a proxy that somebody named in one case is not contradicted in the other', () => {
  const machine = ['HTTP', 'HTTPS', 'NO'].flatMap((kind) => [
    `${kind}_PROXY=machine`,
    `${kind.toLowerCase()}_proxy=machine`,
  ]);
  const given = settings({ env: ['HTTP_PROXY=own', 'no_proxy='] });
  assert.deepEqual(withImageDefaults(given, { Env: ['A=1'] } as never, machine).env, [
    'HTTPS_PROXY=machine',
    'https_proxy=machine',
    'A=1',
    'HTTP_PROXY=own',
    'no_proxy=',
  ]);
});
