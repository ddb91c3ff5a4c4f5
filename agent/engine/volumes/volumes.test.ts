import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { create, workbench } from '../testdata/workbench.ts';

const plain = { driver: 'local', driverOptions: {}, labels: {} };
const mountOf = (name: string) => [
  {
    type: 'volume' as const,
    name,
    target: '/data',
    readOnly: false,
    noCopy: false,
    labels: {},
    driverOptions: {},
  },
];

test('made once, kept, refused while used, and gone with its data', async (t) => {
  const bench = await workbench(t);
  const { volumes, containers } = bench.engine;
  const made = await volumes.create({ ...plain, name: 'data' });
  assert.equal((await volumes.create({ ...plain, name: 'data' })).mountpoint, made.mountpoint);
  writeFileSync(join(made.mountpoint, 'file'), 'content');
  assert.equal(await volumes.size('data'), 7);
  const id = await create(bench, { mounts: mountOf('data') });
  await assert.rejects(volumes.remove('data', { force: false }), {
    kind: 'conflict',
    message: `remove data: volume is in use - [${id}]`,
  });
  await containers.remove(id, { force: false, volumes: true });
  assert.equal(volumes.list().length, 1, 'rm -v takes only anonymous volumes');
  await volumes.remove('data', { force: false });
  assert.equal(existsSync(made.mountpoint), false);
  assert.throws(() => volumes.inspect('data'), {
    kind: 'not-found',
    message: 'get data: no such volume',
  });
});

test('names, drivers and options that are not ours are refused', async (t) => {
  const { engine } = await workbench(t);
  await assert.rejects(engine.volumes.create({ ...plain, name: '../up' }), { kind: 'invalid' });
  await assert.rejects(engine.volumes.create({ ...plain, driver: 'nfs' }), { kind: 'not-found' });
  await assert.rejects(
    engine.volumes.create({ ...plain, driverOptions: { type: 'nfs', device: ':/x' } }),
    { kind: 'not-implemented', message: /type=none, o=bind/ },
  );
});

test('a directory of the machine is mounted and never removed', async (t) => {
  const bench = await workbench(t);
  const device = bench.paths.root;
  const driverOptions = { type: 'none', o: 'bind', device };
  const made = await bench.engine.volumes.create({ ...plain, name: 'own', driverOptions });
  assert.equal(made.mountpoint, device);
  await bench.engine.volumes.remove('own', { force: false });
  assert.ok(existsSync(device));
});

test('prune takes anonymous volumes, and named ones when asked for all', async (t) => {
  const { engine } = await workbench(t);
  await engine.volumes.create(plain);
  await engine.volumes.create({ ...plain, name: 'kept', labels: { keep: 'yes' } });
  await engine.volumes.create({ ...plain, name: 'named' });
  assert.equal((await engine.volumes.prune({ all: false, labels: [] })).deleted.length, 1);
  const keep = { key: 'keep', value: 'yes', negated: true };
  assert.deepEqual((await engine.volumes.prune({ all: true, labels: [keep] })).deleted, ['named']);
});
