/** Spaces as subvolumes of a real btrfs, in a file that is mounted for it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { hasErrno } from '../kernel/libc.ts';
import { BtrfsDisk, findQgroups } from './btrfs-disk.ts';
import { detectDiskDriver } from './detect.ts';
import { fill } from './testdata/fill.ts';
import { lacksBtrfs } from './testdata/kernel-lacks.ts';

const mib = 1024 * 1024;
const skip = lacksBtrfs();
const options = { skip };
const directories = [{ name: 'upper', mode: 0o755 }];

let base: string;
let mount: string;
let disk: BtrfsDisk;

before(() => {
  if (skip) return;
  base = mkdtempSync(join(tmpdir(), 'corten-btrfs-'));
  mount = join(base, 'mount');
  const image = join(base, 'image');
  mkdirSync(mount);
  writeFileSync(image, '');
  truncateSync(image, 400 * mib);
  execFileSync('mkfs.btrfs', ['-q', image]);
  execFileSync('mount', ['-o', 'loop', image, mount]);
  assert.equal(findQgroups(mount), undefined, 'quotas are off');
  execFileSync('btrfs', ['quota', 'enable', mount]);
  disk = new BtrfsDisk(findQgroups(mount) ?? 'no quotas');
});
after(() => {
  if (skip) return;
  execFileSync('umount', [mount]);
  rmSync(base, { recursive: true });
});

function assertNear(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= mib, `${what}: ${actual}, expected ${expected}`);
}

async function make(name: string, maxBytes: number | null): Promise<string> {
  const space = join(mount, name);
  (await disk.prepare({ maxBytes }, directories))(space);
  return space;
}

test(
  'a limit is reached, lowered, raised and taken away; a neighbour has its own',
  options,
  async () => {
    const [one, two] = [await make('one', 32 * mib), await make('two', 32 * mib)];
    const full = join(one, 'upper/full');
    assertNear(fill(full), 32 * mib, 'written');
    assertNear(disk.usage(one).usedBytes, 32 * mib, 'used');
    assert.equal(disk.usage(one).maxBytes, 32 * mib);
    writeFileSync(join(two, 'upper/mine'), Buffer.alloc(mib));
    disk.update(one, {}, { maxBytes: 16 * mib });
    assert.throws(
      () => writeFileSync(join(one, 'upper/more'), Buffer.alloc(mib)),
      (error) => hasErrno(error, 'EDQUOT'),
    );
    rmSync(full);
    execFileSync('sync', ['-f', mount]);
    assertNear(fill(full), 16 * mib, 'written after lowering');
    disk.update(one, {}, { maxBytes: 24 * mib });
    assertNear(fill(join(one, 'upper/more')), 8 * mib, 'written after raising');
    disk.update(one, {}, { maxBytes: null });
    assert.equal(disk.usage(one).maxBytes, undefined);
    writeFileSync(join(one, 'upper/large'), Buffer.alloc(40 * mib));
    for (const each of [one, two]) await disk.remove(each);
  },
);

test(
  'where quotas came to be on later, spaces in files keep their driver until the last is gone',
  options,
  () => {
    const parents = [join(mount, 'containers')];
    mkdirSync(join(mount, 'containers/one'), { recursive: true });
    const kind = () => {
      const driver = detectDiskDriver({ root: mount, parents, report: () => {} });
      driver.close();
      return driver.kind;
    };
    assert.equal(kind(), 'btrfs-qgroup');
    writeFileSync(join(mount, 'containers/one/disk.ext4'), '');
    assert.equal(kind(), 'loop');
    for (const name of ['containers', 'disk-forms'])
      rmSync(join(mount, name), { recursive: true, force: true });
  },
);

test('one that was made without a limit gets one', options, async () => {
  const one = await make('one', null);
  assert.equal(disk.usage(one).maxBytes, undefined);
  disk.update(one, {}, { maxBytes: 8 * mib });
  assertNear(fill(join(one, 'upper/full')), 8 * mib, 'written');
  await disk.remove(one);
});

test(
  'nothing is moved from one space into another, and what moves inside is one file still',
  options,
  async () => {
    const [one, two] = [await make('one', null), await make('two', null)];
    writeFileSync(join(one, 'upper/file'), '');
    assert.throws(() => renameSync(join(one, 'upper/file'), join(two, 'upper/file')), {
      code: 'EXDEV',
    });
    for (const each of [one, two]) await disk.remove(each);
  },
);

test(
  'removed, a space leaves nothing: also one with another subvolume in it, half of one, and none',
  options,
  async () => {
    const one = await make('one', 8 * mib);
    writeFileSync(join(one, 'upper/file'), Buffer.alloc(mib));
    execFileSync('btrfs', ['-q', 'subvolume', 'create', join(one, 'upper/inner')]);
    writeFileSync(join(one, 'upper/inner/file'), '');
    await disk.remove(one);
    mkdirSync(join(mount, 'half'));
    await disk.remove(join(mount, 'half'));
    await disk.remove(join(mount, 'none'));
    const two = await make('two', 8 * mib);
    await disk.remove(two);
    assert.deepEqual(readdirSync(mount), []);
  },
);

test('a limit of inodes is refused with what to do, and leaves nothing', options, async () => {
  await assert.rejects(disk.prepare({ maxInodes: 100 }, directories), {
    kind: 'invalid',
    message: /counts no inodes/,
  });
  const one = await make('one', null);
  for (const change of ['check', 'update'] as const)
    assert.throws(() => disk[change](one, {}, { maxInodes: 100 }), { kind: 'invalid' });
  await disk.remove(one);
  const taken = join(mount, 'taken');
  mkdirSync(taken);
  const makeSpace = await disk.prepare({}, directories);
  assert.throws(() => makeSpace(taken), { code: 'EEXIST' });
  assert.ok(existsSync(taken), 'what was there stays');
  rmSync(taken, { recursive: true });
});
