/** Who fills a new group's lists of processors and memory nodes on v1: the kernel, or we where it does not. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { detectCgroupDriver } from './detect.ts';
import { runIn, statusField } from './testdata/group-process.ts';
import { testGroups } from './testdata/test-groups.ts';

const { driver, create } = testGroups('cpuset', (parent) => detectCgroupDriver({ parent }));
const isV1 = driver.version === 1 && driver.controllers.includes('cpuset');

const textOf = (directory: string, file: string) => readFileSync(join(directory, file), 'utf8');

test('on v1 a group has the processors of the one above it, whoever wrote them', {
  skip: !isV1,
}, () => {
  for (const cloning of ['1', '0']) {
    const directory = create().paths.get('cpuset') ?? '';
    const parent = dirname(directory);
    assert.equal(textOf(parent, 'cgroup.clone_children'), `${cloning}\n`);
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      assert.equal(textOf(directory, file), textOf(parent, file));
    const child = runIn(create(), 'sleep 60');
    assert.equal(
      statusField(child.pid ?? 0, 'Cpus_allowed_list'),
      textOf(parent, 'cpuset.cpus').trim(),
    );
    // As a parent is that an agent of before has made.
    writeFileSync(join(parent, 'cgroup.clone_children'), '0');
  }
});
