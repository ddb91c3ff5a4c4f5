/**
 * The v2 driver on a real unified hierarchy. A hybrid machine has one too, without most controllers:
 * devices, freezing, killing and removing need none.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { until } from '../e2e/until.ts';
import { delegate } from './delegation.ts';
import { mountedGroups } from './detect.ts';
import { removeGroups } from './directories.ts';
import { exitOf, runIn } from './testdata/group-process.ts';
import { testGroups } from './testdata/test-groups.ts';
import { createV2Driver } from './v2.ts';

const { unified: mount } = mountedGroups(readFileSync('/proc/self/mountinfo', 'utf8'));
const options = { skip: mount === undefined && 'no unified hierarchy is mounted' };
const root = mount ?? '/nonexistent';
const { directory, create } = testGroups('unified', (parent) => createV2Driver(root, parent));

test('the device program allows what the rules allow, and nothing else', options, async () => {
  const group = create({}, [
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 9, access: 'r' },
    { allow: true, type: 'c', major: 1, minor: 7, access: 'rw' },
    { allow: false, type: 'c', major: 1, minor: 7, access: 'w' },
  ]);
  const tries = async (line: string) => (await exitOf(runIn(group, `${line} 2>/dev/null`))).code;
  assert.equal(await tries('echo x > /dev/null'), 0);
  assert.equal(await tries('head -c 1 /dev/urandom'), 0);
  assert.notEqual(await tries('echo x > /dev/urandom'), 0);
  assert.notEqual(await tries('head -c 1 /dev/zero'), 0);
  assert.equal(await tries('head -c 1 /dev/full'), 0);
  assert.notEqual(await tries('true > /dev/full'), 0);
  const node = join(directory, 'node');
  assert.equal(await tries(`mknod ${node} c 1 5 && rm ${node}`), 0);
  assert.notEqual(await tries(`mknod ${node} b 254 0`), 0);
  assert.ok(!existsSync(node));
});

test('no rules at all allow nothing; one for everything allows all', options, async () => {
  const nothing = create({}, []);
  const child = runIn(nothing, 'exec 2>&-; head -c 1 /dev/zero; echo x > /dev/null');
  assert.notEqual((await exitOf(child)).code, 0);
  const all = create();
  assert.equal((await exitOf(runIn(all, 'head -c 1 /dev/zero'))).code, 0);
});

test('freeze, thaw, kill and remove', options, async () => {
  const group = create();
  const child = runIn(group, 'while :; do :; done');
  await until(() => group.usage().cpu.totalNanos > 20_000_000, 'it runs');
  group.freeze();
  const stopped = group.usage().cpu.userNanos;
  const other = create();
  runIn(other, 'while :; do :; done');
  await until(() => other.usage().cpu.totalNanos > 100_000_000, 'others ran');
  assert.equal(group.usage().cpu.userNanos, stopped);
  group.thaw();
  await until(() => group.usage().cpu.userNanos > stopped + 20_000_000, 'it goes on');
  group.freeze();
  group.kill();
  await once(child, 'exit');
  await group.remove();
  assert.ok(!existsSync(group.paths.get('') ?? '/'));
});

test('a placement is a descriptor of the directory', options, () => {
  const group = create();
  const { directoryFd, procsFds } = group.placement();
  assert.deepEqual(procsFds, []);
  assert.ok(directoryFd !== undefined);
  assert.ok(existsSync(`/proc/self/fd/${directoryFd}/cgroup.procs`), 'it leads to the group');
  closeSync(directoryFd);
});

test('processes that stand in the way of delegation move aside', options, async (context) => {
  const list = (file: string) =>
    readFileSync(`${root}/${file}`, 'utf8').split(/\s/).filter(Boolean);
  // Threaded controllers (cpu, cpuset, pids) may be handed down beside processes; these may not.
  const domain = ['memory', 'io', 'hugetlb', 'misc'];
  const controller = domain.find((name) => list('cgroup.controllers').includes(name));
  if (controller === undefined) return context.skip('this hierarchy has none of them');
  const wasOn = list('cgroup.subtree_control').includes(controller);
  // A group with a process inside is what a container takes for the root.
  const outer = `${root}/${basename(mkdtempSync(join(directory, 'corten-outer-')))}`;
  delegate(root, [controller]);
  mkdirSync(outer);
  const child = spawn('sleep', ['60']);
  try {
    writeFileSync(`${outer}/cgroup.procs`, String(child.pid));
    delegate(outer, [controller]);
    assert.equal(readFileSync(`${outer}/cgroup.subtree_control`, 'utf8').trim(), controller);
    const leaf = readFileSync(`${outer}/corten-init/cgroup.procs`, 'utf8').trim();
    assert.equal(leaf, String(child.pid));
  } finally {
    child.kill('SIGKILL');
    await once(child, 'exit');
    await removeGroups([outer]);
    // This machine's groups are not ours: what was off before goes off again.
    if (!wasOn) writeFileSync(`${root}/cgroup.subtree_control`, `-${controller}`);
  }
});
