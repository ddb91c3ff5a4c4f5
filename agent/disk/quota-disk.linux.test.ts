/** Spaces as projects of a real file system; scripts/test-guest runs it on XFS. */
import assert from 'node:assert/strict';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { firstProjectOf, mountOf, quotaKind } from './detect.ts';
import { projectsOf, QuotaDisk } from './quota-disk.ts';
import { fill } from './testdata/fill.ts';

const mib = 1024 * 1024;
const kind = quotaKind(mountOf(readFileSync('/proc/self/mountinfo', 'utf8'), tmpdir()));
const options = { skip: kind === undefined && 'no project quota here; scripts/test-guest has one' };

function bench(t: TestContext) {
  if (kind === undefined) throw new Error('there is no project quota');
  const parent = mkdtempSync(join(tmpdir(), 'corten-quota-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const projects = projectsOf(kind);
  const open = () =>
    new QuotaDisk({ kind, projects, parents: [parent], firstProject: firstProjectOf(parent) });
  const space = (name: string) => {
    mkdirSync(join(parent, name), { recursive: true });
    return join(parent, name, 'disk');
  };
  const projectIn = (path: string) => {
    const fd = openSync(path, 'r');
    try {
      return projects.projectOf(fd);
    } finally {
      closeSync(fd);
    }
  };
  /** What the file system has written down for a number. */
  const recordOf = (project: number) => {
    const fd = openSync(parent, 'r');
    try {
      return projects.usage(fd, project);
    } finally {
      closeSync(fd);
    }
  };
  return { open, space, projectIn, recordOf };
}

const directories = [{ name: 'upper', mode: 0o755 }];

function assertNear(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= mib, `${what}: ${actual}, expected ${expected}`);
}

const available = (path: string) => {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
};

test(
  'a limit is reached, lowered, raised and taken away, and statfs says it',
  options,
  async (t) => {
    const { open, space } = bench(t);
    const disk = open();
    const [one, two] = [space('one'), space('two')];
    (await disk.prepare({ maxBytes: 32 * mib }, directories))(one);
    (await disk.prepare({ maxBytes: 32 * mib }, directories))(two);
    const upper = join(one, 'upper');
    assertNear(available(upper), 32 * mib, 'available at first');
    assertNear(fill(join(upper, 'full')), 32 * mib, 'written');
    assertNear(disk.usage(one).usedBytes, 32 * mib, 'used');
    writeFileSync(join(two, 'upper/mine'), Buffer.alloc(mib));
    disk.update(one, {}, { maxBytes: 16 * mib });
    assert.equal(available(upper), 0);
    rmSync(join(upper, 'full'));
    assertNear(fill(join(upper, 'full')), 16 * mib, 'written after lowering');
    disk.update(one, {}, { maxBytes: 24 * mib });
    assertNear(fill(join(upper, 'more')), 8 * mib, 'written after raising');
    disk.update(one, {}, { maxBytes: null });
    assert.equal(disk.usage(one).maxBytes, undefined);
    assert.ok(available(upper) > 64 * mib, 'after taking it away');
    writeFileSync(join(upper, 'large'), Buffer.alloc(40 * mib));
  },
);

test('an inode limit ends in ENOSPC, and changes at any time', options, async (t) => {
  const { open, space } = bench(t);
  const disk = open();
  const one = space('one');
  (await disk.prepare({ maxInodes: 100 }, directories))(one);
  let made = 0;
  const touch = (count: number) => {
    for (const end = made + count; made < end; made++)
      closeSync(openSync(join(one, 'upper', String(made)), 'w'));
  };
  assert.throws(() => touch(200), { code: 'ENOSPC' });
  const { usedInodes, maxInodes } = disk.usage(one);
  assert.deepEqual([usedInodes, maxInodes], [100, 100]);
  assert.equal(made, 98, 'the space and its directory count');
  disk.update(one, {}, { maxInodes: 150 });
  touch(50);
  assert.throws(() => touch(1), { code: 'ENOSPC' });
  disk.update(one, {}, { maxInodes: null });
  touch(100);
});

test(
  'what is made inside belongs to it, and nothing is moved from one space into another',
  options,
  async (t) => {
    const { open, space, projectIn } = bench(t);
    const disk = open();
    const [one, two] = [space('one'), space('two')];
    for (const each of [one, two]) (await disk.prepare({ maxBytes: 8 * mib }, directories))(each);
    mkdirSync(join(one, 'upper/a/b'), { recursive: true });
    assert.equal(projectIn(join(one, 'upper/a/b')), projectIn(one));
    assert.notEqual(projectIn(one), projectIn(two));
    const move = () => renameSync(join(one, 'upper/a'), join(two, 'upper/a'));
    assert.throws(move, { code: 'EXDEV' });
  },
);

test(
  'removed, a space leaves neither limit nor count, and its number is not given again',
  options,
  async (t) => {
    const { open, space, projectIn, recordOf } = bench(t);
    const disk = open();
    const one = space('one');
    (await disk.prepare({ maxBytes: 8 * mib, maxInodes: 50 }, directories))(one);
    writeFileSync(join(one, 'upper/file'), Buffer.alloc(mib));
    const project = projectIn(one);
    assert.equal(recordOf(project)?.maxBytes, 8 * mib);
    const two = space('two');
    (await disk.prepare({}, directories))(two);
    await disk.remove(one);
    const left = () => {
      const { maxBytes = 0, maxInodes = 0, usedInodes = 0 } = recordOf(project) ?? {};
      return [maxBytes, maxInodes, usedInodes];
    };
    // XFS lets go of what was unlinked a little later.
    for (let attempt = 0; left()[2] !== 0 && attempt < 300; attempt++) await sleep(100);
    assert.deepEqual(left(), [0, 0, 0]);
    // The next agent reads the numbers off the directories.
    const three = space('three');
    (await open().prepare({}, directories))(three);
    assert.equal(projectIn(three), projectIn(two) + 1);
  },
);
