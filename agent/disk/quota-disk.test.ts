/** Spaces as projects, over a file system's quota in memory. */
import assert from 'node:assert/strict';
import { existsSync, fstatSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ProjectLimits, ProjectUsage } from '../kernel/project-quota.ts';
import { type Projects, QuotaDisk } from './quota-disk.ts';

/** Remembers projects by inode, as the file system does on the directory itself. */
class FakeProjects implements Projects {
  readonly members = new Map<number, number>();
  readonly limits = new Map<number, ProjectUsage>();
  failLimit: Error | undefined;

  projectOf(fd: number): number {
    return this.members.get(fstatSync(fd).ino) ?? 0;
  }
  join(fd: number, project: number): void {
    this.members.set(fstatSync(fd).ino, project);
  }
  limit(_fd: number, project: number, limits: ProjectLimits): void {
    if (this.failLimit) throw this.failLimit;
    this.limits.set(project, { usedBytes: 4096, usedInodes: 1, ...limits });
  }
  usage(_fd: number, project: number): ProjectUsage | undefined {
    return this.limits.get(project);
  }
}

function bench(t: TestContext) {
  const parent = mkdtempSync(join(tmpdir(), 'corten-quota-'));
  t.after(() => rmSync(parent, { recursive: true }));
  const projects = new FakeProjects();
  const open = () =>
    new QuotaDisk({ kind: 'xfs-quota', projects, parents: [parent], firstProject: 1000 });
  const space = (name: string) => {
    mkdirSync(join(parent, name), { recursive: true });
    return join(parent, name, 'disk');
  };
  return { projects, open, space };
}

const directories = [{ name: 'upper', mode: 0o755 }];

test('a space gets a project of its own and its limits, which change and end', async (t) => {
  const { projects, open, space } = bench(t);
  const disk = open();
  const [one, two] = [space('one'), space('two')];
  (await disk.prepare({ maxBytes: 1024 ** 2, maxInodes: 100 }, directories))(one);
  (await disk.prepare({}, directories))(two);
  assert.deepEqual([...projects.limits.keys()], [1000, 1001]);
  assert.equal(statSync(join(one, 'upper')).mode & 0o7777, 0o755);
  assert.deepEqual(disk.usage(one), {
    usedBytes: 4096,
    maxBytes: 1024 ** 2,
    usedInodes: 1,
    maxInodes: 100,
  });
  assert.equal(disk.usage(two).maxBytes, undefined);
  disk.update(two, {}, { maxBytes: 4096, maxInodes: null });
  assert.equal(disk.usage(two).maxBytes, 4096);
  disk.update(one, {}, { maxBytes: null, maxInodes: null });
  assert.deepEqual([disk.usage(one).maxBytes, disk.usage(one).maxInodes], [undefined, undefined]);
  await disk.remove(two);
  assert.equal(existsSync(two), false);
  assert.equal(projects.limits.get(1001)?.maxBytes, 0, 'no limit stays behind');
  await disk.remove(two);
});

test('the next agent goes on above the highest number, and leaves those of others alone', async (t) => {
  const { projects, open, space } = bench(t);
  (await open().prepare({}, directories))(space('one'));
  projects.limits.set(1001, { usedBytes: 0, usedInodes: 5, maxBytes: 0, maxInodes: 0 });
  const three = space('three');
  (await open().prepare({}, directories))(three);
  assert.equal(projects.members.get(statSync(three).ino), 1002);
});

test('a space that cannot be limited is not made', async (t) => {
  const { projects, open, space } = bench(t);
  projects.failLimit = new Error('EDQUOT');
  const make = await open().prepare({ maxBytes: 4096 }, directories);
  const one = space('one');
  assert.throws(() => make(one), /EDQUOT/);
  assert.equal(existsSync(one), false);
});
