/** Disk limits in the engine, over spaces that are plain directories. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import { create, workbench } from '../testdata/workbench.ts';

const mib = 1024 * 1024;

test('only a limited container has a space, and it goes with the container', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const plain = await create(bench);
  const limited = await create(bench, { limits: { disk: { maxBytes: 64 * mib } } });
  const { space, upper } = containers.inspect(limited).rootfs;
  assert.ok(space !== undefined && upper.startsWith(`${space}/`) && existsSync(upper));
  assert.deepEqual([...bench.disks.spaces], [[space, { maxBytes: 64 * mib }]]);
  assert.equal(containers.inspect(plain).rootfs.space, undefined);
  assert.equal(await containers.diskUsage(plain), undefined);
  assert.equal((await containers.diskUsage(limited))?.maxBytes, 64 * mib);
  await containers.start(limited);
  assert.equal(bench.disks.opened, 0, 'what was opened for the start is closed');
  await containers.remove(limited, { force: true, volumes: false });
  assert.equal(bench.disks.spaces.size, 0);
  assert.equal(existsSync(dirname(space)), false);
});

test('where spaces cost nothing all have one, and can be limited later', async (t) => {
  const bench = await workbench(t);
  bench.disks.freeOfCost = true;
  const id = await create(bench);
  await bench.engine.containers.update(id, { limits: { disk: { maxInodes: 1000 } } });
  const { rootfs, settings } = bench.engine.containers.inspect(id);
  assert.deepEqual(bench.disks.spaces.get(rootfs.space ?? ''), { maxInodes: 1000 });
  assert.deepEqual(settings.limits.disk, { maxInodes: 1000 });
  const volume = await bench.engine.volumes.create({
    driver: 'local',
    driverOptions: {},
    labels: {},
  });
  await bench.engine.volumes.updateLimits(volume.name, { maxBytes: 8 * mib });
  assert.equal((await bench.engine.volumes.diskUsage(volume.name))?.maxBytes, 8 * mib);
});

test('where layers lie on a file system that limits them, spaces lie there, and leave nothing there', async (t) => {
  const bench = await workbench(t);
  Object.assign(bench.disks, { freeOfCost: true, amongLayers: true });
  const { containers } = bench.engine;
  const id = await create(bench);
  const layers = join(bench.paths.root, 'layers');
  assert.equal(containers.inspect(id).rootfs.space, join(layers, id, 'disk'));
  await containers.start(id);
  bench.disks.failMake = new Error('no space');
  await assert.rejects(create(bench), /no space/);
  const stray = join(layers, 'f'.repeat(64));
  mkdirSync(join(stray, 'disk'), { recursive: true });
  const isThere = (name: string) => readdirSync(layers).includes(name);
  await bench.reopen();
  assert.deepEqual([isThere(id), isThere(basename(stray))], [true, false]);
  await bench.engine.containers.remove(id, { force: true, volumes: false });
  assert.deepEqual([isThere(id), bench.disks.spaces.size], [false, 0]);
});

test('a default is for those who say nothing', async (t) => {
  const bench = await workbench(t, { defaultDisk: 32 * mib });
  const limitOf = async (disk?: { maxBytes: number | null }) =>
    bench.engine.containers.inspect(await create(bench, { limits: { disk } })).settings.limits.disk;
  assert.deepEqual(await limitOf(), { maxBytes: 32 * mib });
  assert.deepEqual(await limitOf({ maxBytes: 8 * mib }), { maxBytes: 8 * mib });
  assert.deepEqual(await limitOf({ maxBytes: null }), { maxBytes: null });
  assert.equal(bench.disks.spaces.size, 2);
});

test('where spaces cost nothing a share of what is free is the default, unless there is to be none', async (t) => {
  const bench = await workbench(t, { defaultDisk: 'share' });
  const limitsOf = async (disk?: object) =>
    bench.engine.containers.inspect(await create(bench, { limits: { disk } })).settings.limits.disk;
  assert.equal(await limitsOf(), undefined);
  bench.disks.freeOfCost = true;
  const { blocks, bsize } = statfsSync(bench.paths.root);
  const { maxBytes, maxInodes } = (await limitsOf()) ?? {};
  assert.ok(maxBytes && maxBytes > 0 && maxBytes < blocks * bsize * (7 / 8), `${maxBytes}`);
  assert.ok(maxInodes && maxInodes > 0, `${maxInodes}`);
  assert.equal((await limitsOf({ maxInodes: 1000 }))?.maxInodes, 1000);
  assert.equal((await limitsOf({ maxInodes: null }))?.maxInodes, null);
  assert.deepEqual(await limitsOf({ maxBytes: null }), { maxBytes: null });
});

test('what fails leaves neither a space nor a change', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const disk = { maxBytes: 64 * mib };
  for (const fail of ['failPrepare', 'failMake'] as const) {
    bench.disks[fail] = new Error('no space');
    await assert.rejects(create(bench, { limits: { disk } }), /no space/);
    bench.disks[fail] = undefined;
  }
  assert.deepEqual([containers.list().length, bench.disks.spaces.size], [0, 0]);
  const id = await create(bench, { limits: { disk } });
  bench.runtime.failPrepare = new Error('no namespaces');
  await assert.rejects(containers.start(id), /no namespaces/);
  assert.equal(bench.disks.opened, 0);
  bench.runtime.failPrepare = undefined;
  bench.disks.failUpdate = new Error('no');
  await assert.rejects(containers.update(id, { limits: { disk: { maxBytes: 8 * mib } } }), /no/);
  assert.deepEqual(containers.inspect(id).settings.limits.disk, disk);
  bench.disks.failUpdate = undefined;
  await assert.rejects(containers.update(id, { limits: { disk: { maxBytes: 1 } } }), {
    kind: 'invalid',
    message: /the least is 4 MiB/,
  });
  const late = await create(bench);
  await assert.rejects(containers.update(late, { limits: { disk } }), { kind: 'conflict' });
});

test('a dry run refuses what the change would, and changes nothing', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const disk = { maxBytes: 64 * mib };
  const ask = (id: string, maxBytes: number | null) =>
    containers.update(id, { limits: { disk: { maxBytes } }, dryRun: true });
  const plain = await create(bench);
  await assert.rejects(ask(plain, 64 * mib), {
    kind: 'conflict',
    message: /created without a disk limit/,
  });
  await ask(plain, null);
  const limited = await create(bench, { limits: { disk } });
  await ask(limited, 8 * mib);
  bench.disks.failUpdate = new Error('cannot become that large');
  await assert.rejects(ask(limited, 512 * mib), /cannot become that large/);
  assert.deepEqual([...bench.disks.spaces.values()], [disk]);
  assert.deepEqual(containers.inspect(limited).settings.limits.disk, disk);
});

test('a disk limit is taken back when the cgroup refuses the rest', async (t) => {
  const bench = await workbench(t);
  const { containers } = bench.engine;
  const id = await create(bench, { limits: { disk: { maxBytes: 64 * mib } } });
  await containers.start(id);
  const { space } = containers.inspect(id).rootfs;
  const cgroup = bench.cgroups.open(id);
  let refusals = 0;
  cgroup.update = () => {
    if (refusals++ === 0) throw new Error('EBUSY');
  };
  const limits = { disk: { maxBytes: 8 * mib }, memory: { maxBytes: 8 * mib } };
  await assert.rejects(containers.update(id, { limits }), /EBUSY/);
  assert.deepEqual(bench.disks.spaces.get(space ?? ''), { maxBytes: 64 * mib });
  assert.deepEqual(bench.reports, []);
});

test('a sized volume is visible while an agent runs, also the next one', async (t) => {
  const bench = await workbench(t);
  const options = { size: '16m', inodes: '200' };
  const made = await bench.engine.volumes.create({
    name: 'data',
    driver: 'local',
    driverOptions: options,
    labels: {},
  });
  assert.deepEqual(made.limits, { maxBytes: 16 * mib, maxInodes: 200 });
  assert.equal(bench.disks.attached.size, 1);
  bench.disks.attached.clear();
  const next = await bench.reopen();
  const [space] = bench.disks.attached;
  assert.equal(made.mountpoint, `${space}/_data`);
  bench.disks.usedBytes = 12 * mib;
  const asked = await next.volumes.updateLimits('data', { maxBytes: 8 * mib }, true);
  assert.match(asked.warnings.join(), /below the 12 MiB that it holds/);
  assert.deepEqual(asked.volume.limits, { maxBytes: 8 * mib, maxInodes: 200 });
  assert.deepEqual(next.volumes.inspect('data').limits, { maxBytes: 16 * mib, maxInodes: 200 });
  assert.deepEqual([...bench.disks.spaces.values()].at(-1), { maxBytes: 16 * mib, maxInodes: 200 });
  await next.volumes.updateLimits('data', { maxInodes: null });
  assert.deepEqual(next.volumes.inspect('data').limits, { maxBytes: 16 * mib, maxInodes: null });
  await next.volumes.remove('data', { force: false });
  assert.equal(bench.disks.attached.size, 0);
  assert.equal(existsSync(dirname(space ?? '')), false);
});
