/** File systems of their own for spaces, on real loop devices. Nothing of it may be left. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskLimits } from '../contract/limits.ts';
import { patienceMs } from '../e2e/patience.ts';
import { until } from '../e2e/until.ts';
import { hasErrno } from '../kernel/libc.ts';
import { boundLoops } from '../kernel/loop.ts';
import { hasCapability } from './detect.ts';
import { LoopDisk, type LoopOptions } from './loop-disk.ts';
import { fill } from './testdata/fill.ts';

const mib = 1024 * 1024;
const directories = [
  { name: 'upper', mode: 0o755 },
  { name: 'work', mode: 0o700 },
];
const growsOnline = hasCapability(readFileSync('/proc/self/status', 'utf8'), 24n);

interface Bench {
  disk: LoopDisk;
  root: string;
  /** A space with these limits, and the paths of its content while it is open. */
  make(name: string, limits: DiskLimits): Promise<string>;
  restarted(): LoopDisk;
}

function bench(t: TestContext, change: Partial<LoopOptions> = {}): Bench {
  const root = mkdtempSync(join(tmpdir(), 'corten-disk-'));
  const reports: unknown[] = [];
  const options: LoopOptions = {
    workDirectory: join(root, 'forms'),
    stateBytes: 64 * 1024 * mib,
    growsOnline: false,
    detachedLayers: true,
    report: (error) => reports.push(error),
    ...change,
  };
  const disks = [new LoopDisk(options)];
  const [disk] = disks as [LoopDisk];
  t.after(async () => {
    for (const each of disks) each.close();
    assert.deepEqual(reports, []);
    await nothingBound(root);
    rmSync(root, { recursive: true });
  });
  return {
    disk,
    root,
    make: async (name, limits) => {
      const space = join(root, name);
      (await disk.prepare(limits, directories))(space);
      return space;
    },
    restarted: () => {
      // An agent before it would be dead by now: only its spaces are left.
      const next = new LoopDisk({ ...options, workDirectory: join(root, 'forms-next') });
      disks.push(next);
      return next;
    },
  };
}

/** The device of each image, as the kernel shows it. */
function devicesBelow(root: string): string[] {
  return boundLoops()
    .map(({ number }) => {
      try {
        return readFileSync(`/sys/block/loop${number}/loop/backing_file`, 'utf8').trim();
      } catch {
        // Free again since it was listed.
        return '';
      }
    })
    .filter((path) => path.startsWith(root));
}

async function nothingBound(root: string): Promise<void> {
  await until(
    () => devicesBelow(root).length === 0,
    () => `nothing is bound, not even ${devicesBelow(root).join(', ')}`,
  );
}

const available = (path: string) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

const allocated = (path: string) => statSync(path).blocks * 512;

function assertNear(actual: number, expected: number, tolerance: number, what: string): void {
  assert.ok(
    Math.abs(actual - expected) <= tolerance,
    `${what}: ${actual}, expected ${expected} give or take ${tolerance}`,
  );
}

for (const [name, change] of [
  ['made to measure', { growsOnline: true }],
  ['with room to grow', { growsOnline: false }],
] as const)
  test(`${name}: it is full at its limit, and what is deleted goes back to the machine`, async (t) => {
    const { disk, make } = bench(t, change);
    const space = await make('full', { maxBytes: 64 * mib });
    assert.ok(allocated(`${space}.ext4`) < 4 * mib, 'an empty one is nearly nothing');
    const open = disk.open(space, { maxBytes: 64 * mib });
    const path = open.path.replace('self', String(process.pid));
    const commit = () => execFileSync('sync', ['--file-system', path]);
    assert.equal(statSync(join(open.path, 'upper')).mode & 0o7777, 0o755);
    assert.equal(statSync(join(open.path, 'work')).mode & 0o7777, 0o700);
    assertNear(available(open.path), 64 * mib, mib / 2, 'available at first');
    assertNear(fill(join(open.path, 'upper/big')), 64 * mib, mib, 'written');
    assert.ok(allocated(`${space}.ext4`) < 80 * mib);
    const { usedBytes, maxBytes } = disk.usage(space, { maxBytes: 64 * mib });
    assert.equal(maxBytes, 64 * mib);
    assertNear(usedBytes, 64 * mib, mib, 'used');
    commit();
    assert.ok(allocated(`${space}.ext4`) > 60 * mib, 'what is written takes room on the machine');
    rmSync(join(open.path, 'upper/big'));
    // While it is mounted: an unmount drops what ext4 has still to discard.
    commit();
    for (const deadline = performance.now() + patienceMs; ; await sleep(20)) {
      const left = allocated(`${space}.ext4`);
      if (left < 16 * mib) break;
      assert.ok(performance.now() < deadline, `${left} bytes are left of what was deleted`);
    }
    open.close();
    await nothingBound(space);
    await disk.remove(space);
    assert.deepEqual([existsSync(space), existsSync(`${space}.ext4`)], [false, false]);
  });

test('made to measure, df says the limit as its size', async (t) => {
  const { disk, make } = bench(t, { growsOnline: true });
  for (const size of [64 * mib, 1024 * mib, 10 * 1024 * mib]) {
    const space = await make(`exact-${size}`, { maxBytes: size });
    const open = disk.open(space, { maxBytes: size });
    const { blocks, bsize } = statfsSync(open.path);
    open.close();
    assert.ok(
      blocks * bsize >= size && blocks * bsize < size * 1.05 + 2 * mib,
      `${blocks * bsize}`,
    );
  }
});

test('limits are lowered, raised and cleared while it is in use', async (t) => {
  const { disk, make } = bench(t);
  const space = await make('live', { maxBytes: 64 * mib });
  const open = disk.open(space, { maxBytes: 64 * mib });
  writeFileSync(join(open.path, 'upper/kept'), Buffer.alloc(8 * mib, 7));
  const change = (from: number | null, to: number | null) =>
    disk.update(space, { maxBytes: from }, { maxBytes: to });
  change(64 * mib, 16 * mib);
  assertNear(available(open.path), 8 * mib, mib / 2, 'after lowering');
  assertNear(fill(join(open.path, 'upper/more')), 8 * mib, mib, 'written after lowering');
  change(16 * mib, 4 * mib);
  assert.equal(available(open.path), 0, 'below what is used nothing more can be written');
  assert.deepEqual(readFileSync(join(open.path, 'upper/kept')), Buffer.alloc(8 * mib, 7));
  change(4 * mib, 512 * mib);
  rmSync(join(open.path, 'upper/more'));
  assertNear(available(open.path), 504 * mib, mib, 'after raising');
  change(512 * mib, null);
  assert.ok(available(open.path) > 60 * 1024 * mib, 'after clearing: what the machine has');
  open.close();
});

test('what cannot be changed is refused with what to do', async (t) => {
  const { disk, make } = bench(t, { stateBytes: 1024 * mib });
  const space = await make('fixed', { maxBytes: 64 * mib, maxInodes: 4096 });
  const before = { maxBytes: 64 * mib, maxInodes: 4096 };
  for (const ask of ['check', 'update'] as const) {
    assert.throws(() => disk[ask](space, before, { ...before, maxInodes: 100_000 }), {
      kind: 'conflict',
      message: /inodes .* fixed when it is made/,
    });
    assert.throws(() => disk[ask](space, before, { ...before, maxBytes: 4096 * mib }), {
      kind: 'conflict',
      message: /can be raised to \d+ bytes/,
    });
  }
  disk.check(space, before, { ...before, maxBytes: 16 * mib });
  assert.ok(disk.usage(space, before).usedBytes < mib, 'a check makes nothing smaller');
  await assert.rejects(disk.prepare({ maxInodes: 1000 }, directories), { kind: 'invalid' });
});

test('made to measure, it grows while it is in use', {
  skip: growsOnline ? false : 'the kernel wants CAP_SYS_RESOURCE, which this machine withholds',
}, async (t) => {
  const { disk, make } = bench(t, { growsOnline: true });
  const space = await make('growing', { maxBytes: 64 * mib });
  const open = disk.open(space, { maxBytes: 64 * mib });
  disk.update(space, { maxBytes: 64 * mib }, { maxBytes: 640 * mib });
  assertNear(available(open.path), 640 * mib, 8 * mib, 'after raising');
  disk.update(space, { maxBytes: 640 * mib }, { maxBytes: null });
  assert.ok(available(open.path) > 60 * 1024 * mib, 'after clearing');
  open.close();
});

test('an inode limit ends in ENOSPC with space left', async (t) => {
  const { disk, make } = bench(t);
  const limits = { maxBytes: 64 * mib, maxInodes: 500 };
  const space = await make('inodes', limits);
  const open = disk.open(space, limits);
  let made = 0;
  try {
    for (; made < 10_000; made++) closeSync(openSync(join(open.path, 'upper', String(made)), 'w'));
    assert.fail('ten thousand files went in');
  } catch (error) {
    assert.ok(hasErrno(error, 'ENOSPC'), String(error));
  }
  assert.ok(made >= 490 && made <= 625, `${made} files`);
  assert.ok(available(open.path) > 60 * mib);
  const { usedInodes, maxInodes } = disk.usage(space, limits);
  assert.equal(usedInodes, maxInodes);
  open.close();
});

test('opened twice it is one file system, and usage is the same mounted or not', async (t) => {
  const { disk, make, restarted } = bench(t);
  const limits = { maxBytes: 64 * mib };
  const space = await make('twice', limits);
  const first = disk.open(space, limits);
  writeFileSync(join(first.path, 'upper/one'), Buffer.alloc(mib));
  const second = disk.open(space, limits);
  assert.equal(readFileSync(join(second.path, 'upper/one')).length, mib);
  second.close();
  // An agent that takes over finds the device that the one before it left.
  const third = restarted().open(space, limits);
  writeFileSync(join(third.path, 'upper/two'), 'x');
  assert.equal(readFileSync(join(first.path, 'upper/two'), 'utf8'), 'x');
  assert.equal(devicesBelow(space).length, 1);
  const usedOpen = disk.usage(space, limits);
  third.close();
  first.close();
  await nothingBound(space);
  const usedClosed = disk.usage(space, limits);
  assertNear(usedClosed.usedBytes, usedOpen.usedBytes, 64 * 1024, 'used bytes');
  assert.equal(usedClosed.usedInodes, usedOpen.usedInodes);
  assert.equal(usedClosed.maxInodes, usedOpen.maxInodes);
});

test('a volume is visible at its path until it is detached', async (t) => {
  const { disk, make, restarted } = bench(t);
  const limits = { maxBytes: 64 * mib };
  const space = await make('volume', limits);
  disk.attach(space, limits);
  writeFileSync(join(space, 'upper/here'), 'x');
  // Another agent on the same state: it is mounted already.
  restarted().attach(space, limits);
  disk.detach(space);
  assert.equal(existsSync(join(space, 'upper')), false);
  disk.attach(space, limits);
  assert.equal(readFileSync(join(space, 'upper/here'), 'utf8'), 'x');
  await disk.remove(space);
  assert.equal(existsSync(space), false);
});

test('where layers must be attached, they are for as long as it is open', async (t) => {
  const { disk, make } = bench(t, { detachedLayers: false });
  const space = await make('attached', { maxBytes: 64 * mib });
  const open = disk.open(space, { maxBytes: 64 * mib });
  assert.equal(open.path, space);
  assert.ok(existsSync(join(space, 'upper')));
  open.close();
  assert.equal(existsSync(join(space, 'upper')), false);
});

test('what fails leaves nothing', async (t) => {
  const { disk, make, root } = bench(t);
  const limits = { maxBytes: 64 * mib };
  const makeSpace = await disk.prepare(limits, directories);
  mkdirSync(join(root, 'taken'));
  assert.throws(() => makeSpace(join(root, 'taken')), { code: 'EEXIST' });
  const space = await make('broken', limits);
  writeFileSync(`${space}.ext4`, Buffer.alloc(4 * mib));
  assert.throws(() => disk.open(space, limits), /ext4/);
  assert.deepEqual(devicesBelow(root), []);
  await disk.remove(join(root, 'never-was'));
});

test('spares are made once a form was asked for, taken, and given back', async (t) => {
  const { disk, make, root } = bench(t);
  const limits = { maxBytes: 64 * mib };
  const spares = () => readdirSync(join(root, 'forms')).filter((name) => name.startsWith('spare-'));
  const mounted = () => devicesBelow(root).filter((path) => path.includes('spare-'));
  const eventually = (count: number) =>
    until(
      () => mounted().length === count,
      () => `${count} are mounted, of ${spares().length} spares`,
    );
  assert.deepEqual(spares(), []);
  const first = await make('first', limits);
  await eventually(3);
  assert.equal(devicesBelow(root).length, 3, 'one that was made by itself is not mounted yet');
  const second = await make('second', limits);
  assert.equal(existsSync(`${second}.ext4`), true);
  await eventually(3);
  assert.equal(devicesBelow(root).length, 4, 'three, and the one that was taken');
  const open = disk.open(second, limits);
  assertNear(fill(join(open.path, 'upper/big')), 64 * mib, mib, 'written to what was a spare');
  assert.ok(statSync(`${second}.ext4`).isFile());
  open.close();
  const used = disk.usage(second, limits).usedBytes;
  assertNear(used, 64 * mib, mib, 'used');
  await disk.remove(second);
  await disk.remove(first);
  disk.close();
  assert.deepEqual(spares(), []);
  await nothingBound(root);
});
