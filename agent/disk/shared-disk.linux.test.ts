/** The file system that layers share, on a state file system of its own size. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../e2e/until.ts';
import { boundLoops } from '../kernel/loop.ts';
import { detectLayerDriver } from './detect.ts';
import { isMounted } from './loop-mount.ts';
import { openSharedDisk, type SharedDiskOptions } from './shared-disk.ts';
import { fill } from './testdata/fill.ts';
import { lacksBtrfs, lacksExt4Projects } from './testdata/kernel-lacks.ts';

const mib = 1024 * 1024;

const inMemory = (megabytes: number) => (place: string) =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', place]);

function onBtrfs(place: string): void {
  const disk = `${place}.btrfs`;
  execFileSync('truncate', ['-s', '256m', disk]);
  execFileSync('mkfs.btrfs', ['-q', disk]);
  execFileSync('mount', ['-o', 'loop', disk, place]);
  rmSync(disk);
}

function bench(t: TestContext, mount: (place: string) => void = inMemory(256)) {
  const state = mkdtempSync(join(tmpdir(), 'corten-shared-disk-'));
  mount(state);
  const directory = join(state, 'layers');
  mkdirSync(directory);
  const reports: string[] = [];
  t.after(() => {
    if (isMounted(directory)) execFileSync('umount', ['--lazy', directory]);
    execFileSync('umount', ['--lazy', state]);
    rmSync(state, { recursive: true });
  });
  const open = (change: Partial<SharedDiskOptions> = {}) =>
    openSharedDisk({
      directory,
      isWanted: true,
      keepsReserve: true,
      report: (what, error) => reports.push(`${what}: ${error}`),
      ...change,
    });
  const freeShare = () => {
    const { bavail, blocks } = statfsSync(state);
    return bavail / blocks;
  };
  return { state, directory, image: `${directory}.ext4`, reports, open, freeShare };
}

const devicesOf = (image: string) => {
  const { ino, dev } = statSync(image, { bigint: true });
  return boundLoops().filter(({ file }) => file.inode === ino && file.device === dev).length;
};

test('root that fills it with bytes, and then with files, leaves the machine its floor', async (t) => {
  const { directory, reports, open, freeShare } = bench(t);
  const shared = await open();
  mkdirSync(join(directory, 'many'));
  const written = fill(join(directory, 'all'));
  assert.ok(written > 150 * mib, `${written} bytes went in`);
  assert.ok(freeShare() > 0.12, `${freeShare()} is left`);
  assert.throws(
    () => {
      for (let index = 0; ; index++) writeFileSync(join(directory, 'many', `${index}`), 'x');
    },
    { code: 'ENOSPC' },
  );
  assert.ok(freeShare() > 0.12, `${freeShare()} is left`);
  shared?.close('unmount');
  assert.deepEqual(reports, []);
});

test('what the machine takes meanwhile is no longer theirs, and what it gives back is', async (t) => {
  const { state, directory, open } = bench(t);
  const shared = await open();
  t.after(() => shared?.close('unmount'));
  const available = () => statfsSync(directory).bavail * 4096;
  const before = available();
  execFileSync('fallocate', ['-l', '200m', join(state, 'others')]);
  await until(() => available() < before - 150 * mib);
  const left = available();
  const written = fill(join(directory, 'all'));
  assert.ok(written < left + mib, `${written} bytes went in, ${left} were available`);
  assert.ok(statfsSync(state).bavail > 0);
  rmSync(join(state, 'others'));
  await until(() => available() > 100 * mib);
});

test('what is removed goes back to the machine', async (t) => {
  const { directory, image, open } = bench(t);
  const shared = await open();
  const file = join(directory, 'file');
  const write = () => {
    const fd = openSync(file, 'w');
    writeSync(fd, Buffer.alloc(64 * mib, 1));
    closeSync(fd);
    execFileSync('sync', ['-f', directory]);
  };
  const taken = () => statSync(image).blocks * 512;
  const empty = taken();
  write();
  assert.ok(taken() > empty + 60 * mib);
  rmSync(file);
  execFileSync('sync', ['-f', directory]);
  await until(() => taken() < empty + 8 * mib);
  // Too late for the kernel to give it back before the end.
  write();
  rmSync(file);
  shared?.close('unmount');
  await until(() => devicesOf(image) === 0);
  const next = await open();
  t.after(() => next?.close('unmount'));
  await until(() => taken() < empty + 8 * mib);
});

test('left mounted it is the next one’s, on the same device', async (t) => {
  const { directory, image, open } = bench(t);
  const first = await open();
  writeFileSync(join(directory, 'kept'), 'x');
  first?.close('leave');
  assert.ok(isMounted(directory));
  const second = await open({ isWanted: false });
  assert.deepEqual([existsSync(join(directory, 'kept')), devicesOf(image)], [true, 1]);
  second?.close('unmount');
  assert.equal(isMounted(directory), false);
  await until(() => devicesOf(image) === 0);
  const third = await open({ isWanted: false });
  assert.ok(existsSync(join(directory, 'kept')), 'and so it is after an unmount');
  third?.close('unmount');
});

test('without a floor all of the disk may be written', async (t) => {
  const { directory, open, freeShare } = bench(t);
  const shared = await open({ keepsReserve: false });
  t.after(() => shared?.close('unmount'));
  fill(join(directory, 'all'));
  assert.ok(freeShare() < 0.08, `${freeShare()} is left`);
});

test('where the kernel has quotas, each of its directories is held to a limit', {
  skip: lacksExt4Projects(),
}, async (t) => {
  const { state, directory, open } = bench(t);
  for (const round of ['made', 'mounted again']) {
    const shared = await open();
    const driver = detectLayerDriver(directory, state);
    assert.equal(driver?.kind, 'ext4-quota', round);
    const space = join(directory, 'one/disk');
    mkdirSync(join(directory, 'one'));
    const makeSpace = await driver.prepare({ maxBytes: 32 * mib }, [
      { name: 'upper', mode: 0o755 },
    ]);
    makeSpace(space);
    const full = join(space, 'upper/full');
    // Quotas of ext4 bind nobody who has this capability, unlike those of XFS.
    const without = ['--bounding-set', '-sys_resource', '--inh-caps', '-sys_resource'];
    const dd = ['dd', 'if=/dev/zero', `of=${full}`, 'bs=64k'];
    const { stderr } = spawnSync('setpriv', [...without, ...dd], { encoding: 'utf8' });
    assert.match(stderr, /Disk quota exceeded/);
    const written = statSync(full).size;
    assert.ok(Math.abs(written - 32 * mib) < mib, `${written} bytes went in`);
    writeFileSync(join(directory, 'others'), Buffer.alloc(40 * mib));
    await driver.remove(space);
    rmSync(join(directory, 'one'), { recursive: true });
    shared?.close('unmount');
  }
});

test('one that is not wanted, or on a disk too small for it, is none', async (t) => {
  const { state, directory, open, reports } = bench(t, inMemory(32));
  assert.equal(await open({ isWanted: false }), undefined);
  assert.equal(await open(), undefined);
  assert.deepEqual([readdirSync(state), readdirSync(directory), reports], [['layers'], [], []]);
});

test('one that cannot be made is reported, and layers lie on the machine’s disk', async (t) => {
  const { state, open, reports } = bench(t);
  mkdirSync(join(state, 'layers.ext4.new/in-the-way'), { recursive: true });
  assert.equal(await open(), undefined);
  assert.match(reports.join(), /create the shared disk of container layers/);
});

const damage = (image: string, offset: number, bytes: number) => {
  const fd = openSync(image, 'r+');
  writeSync(fd, Buffer.alloc(bytes, 0xa5), 0, bytes, offset);
  closeSync(fd);
};

test('a superblock that is lost comes back from its copy, with what is there', async (t) => {
  const { directory, image, open } = bench(t);
  const shared = await open();
  writeFileSync(join(directory, 'kept'), 'x');
  shared?.close('unmount');
  await until(() => devicesOf(image) === 0);
  damage(image, 1024, 1024);
  const next = await open();
  t.after(() => next?.close('unmount'));
  assert.ok(existsSync(join(directory, 'kept')));
});

test('one that a person has to decide about is left, and it says what to do', async (t) => {
  const { directory, image, open } = bench(t);
  (await open())?.close('unmount');
  await until(() => devicesOf(image) === 0);
  damage(image, 0, statSync(image).size);
  await assert.rejects(open(), { kind: 'unavailable', message: /e2fsck -f/ });
  assert.equal(isMounted(directory), false);
});

test('on btrfs it is written in place', {
  skip: lacksBtrfs(),
}, async (t) => {
  const { directory, image, open, freeShare } = bench(t, onBtrfs);
  const shared = await open();
  t.after(() => shared?.close('unmount'));
  const [flags = ''] = execFileSync('lsattr', [image], { encoding: 'utf8' }).split(' ');
  assert.match(flags, /C/);
  fill(join(directory, 'all'));
  assert.ok(freeShare() > 0.1, `${freeShare()} is left`);
});
