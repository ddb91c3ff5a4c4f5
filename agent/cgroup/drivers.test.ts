/** Both drivers on a temporary directory that poses as `/sys/fs/cgroup`. */
import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { OciDeviceRule } from '../contract/oci-runtime.ts';
import type { Place } from './cgroup.ts';
import { detectCgroupDriver, mountedGroups } from './detect.ts';
import { UnifiedHugetlb } from './hugetlb.ts';
import { createV1Driver } from './v1.ts';
import { createV2Driver } from './v2.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'corten-cgroupfs-'));
});

afterEach(() => rmSync(root, { recursive: true }));

const rules: OciDeviceRule[] = [
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'b', access: 'm' },
];
const read = (...path: string[]) => readFileSync(join(root, ...path), 'utf8').trim();

function hierarchy(...names: string[]): void {
  for (const name of names) mkdirSync(join(root, name));
}

test('v1: one directory a hierarchy, limits and device rules inside', () => {
  hierarchy('cpu', 'memory', 'pids', 'devices', 'freezer', 'unrelated');
  const driver = detectCgroupDriver({ parent: 'corten-a', root });
  assert.equal(driver.version, 1);
  const group = driver.create('web', { pids: 9, cpu: { shares: 77 } }, rules);
  assert.equal(read('pids/corten-a/web/pids.max'), '9');
  assert.equal(read('cpu/corten-a/web/cpu.shares'), '77');
  // The kernel takes one rule a write; here the writes follow each other.
  assert.equal(read('devices/corten-a/web/devices.allow'), 'c 1:3 rwmb *:* m');
  assert.equal(read('devices/corten-a/web/devices.deny'), 'a');
  assert.ok(!existsSync(join(root, 'unrelated/corten-a')));
  assert.deepEqual(driver.list(), ['web']);
  assert.equal(group.paths.get('pids'), join(root, 'pids/corten-a/web'));
});

test('v1: a limit without its controller is refused and leaves nothing', () => {
  hierarchy('cpu', 'devices');
  const driver = detectCgroupDriver({ parent: 'corten-a', root });
  assert.throws(() => driver.create('web', { pids: 9 }, rules), {
    kind: 'invalid',
    message: /no pids controller/,
  });
  driver.create('other', { pids: null, memory: {} }, rules);
});

test('v1: a controller that only v2 has gives a group there, once there is a limit', async () => {
  hierarchy('v1', 'v2');
  hierarchy('v1/memory', 'v1/devices', 'v1/freezer');
  writeFileSync(join(root, 'v2/cgroup.controllers'), 'hugetlb\n');
  const mounts = ['memory', 'devices', 'freezer'].map(
    (name) => [name, join(root, 'v1', name)] as const,
  );
  const driver = createV1Driver(new Map(mounts), 'corten-a', { unifiedMount: join(root, 'v2') });
  assert.deepEqual(driver.controllers, ['memory', 'devices', 'freezer', 'hugetlb']);
  const plain = driver.create('plain', {}, rules);
  for (const [name] of mounts) writeFileSync(join(root, 'v1', name, 'corten-a/plain/tasks'), '');
  const placed = plain.placement();
  assert.equal(placed.directoryFd, undefined);
  for (const fd of placed.procsFds) closeSync(fd);
  assert.ok(!existsSync(join(root, 'v2/corten-a')));
  const unified = UnifiedHugetlb.find(join(root, 'v2'), 'corten-a');
  unified?.make('left-behind');
  assert.equal(read('v2/cgroup.subtree_control'), '+hugetlb');
  assert.equal(read('v2/corten-a/cgroup.subtree_control'), '+hugetlb');
  assert.deepEqual(driver.list().sort(), ['left-behind', 'plain']);
  assert.equal(UnifiedHugetlb.find(join(root, 'v1/memory'), 'corten-a'), undefined);
});

test('v1: without a devices controller nothing is started', () => {
  hierarchy('cpu');
  const driver = detectCgroupDriver({ parent: 'corten-a', root });
  assert.throws(() => driver.create('web', {}, rules), /no devices controller/);
});

function unified(controllers: string): void {
  writeFileSync(join(root, 'cgroup.controllers'), `${controllers}\n`);
}

test('v2: controllers are handed down, limits and devices applied', () => {
  unified('cpu memory pids misc');
  const attached: unknown[] = [];
  const driver = createV2Driver(root, 'corten-a', {
    attachDevices: (...call) => attached.push(call),
  });
  assert.deepEqual(driver.controllers, ['cpu', 'memory', 'pids', 'devices', 'freezer']);
  const group = driver.create('web', { pids: 9, cpu: { quotaMicros: 5000 } }, rules);
  assert.equal(read('cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(read('corten-a/cgroup.subtree_control'), '+cpu +memory +pids');
  assert.equal(read('corten-a/web/pids.max'), '9');
  assert.equal(read('corten-a/web/cpu.max'), '5000 100000');
  assert.deepEqual(attached, [[join(root, 'corten-a/web'), rules]]);
  assert.equal(group.paths.get(''), join(root, 'corten-a/web'));
  assert.deepEqual(driver.list(), ['web']);
});

test('v2: failing to attach the device program is fatal', () => {
  unified('cpu');
  const driver = createV2Driver(root, 'corten-a', {
    attachDevices: () => {
      throw new Error('no bpf here');
    },
  });
  assert.throws(() => driver.create('web', {}, rules), /no bpf here/);
  assert.deepEqual(driver.list(), []);
});

test('v2: a reservation is passed on to the parent, which would void it otherwise', () => {
  unified('memory');
  const driver = createV2Driver(root, 'corten-a', { attachDevices: () => {} });
  const web = driver.create('web', {}, rules);
  const db = driver.create('db', {}, rules);
  writeFileSync(join(root, 'corten-a/memory.low'), '0');
  web.update({ memory: { reservationBytes: 1000 } });
  db.update({ memory: { reservationBytes: 500 } });
  assert.equal(read('corten-a/memory.low'), '1500');
  web.update({ memory: { reservationBytes: null } });
  assert.equal(read('corten-a/memory.low'), '500');
});

test('v2: what is added to a group that hands controllers down goes to where its first process is', () => {
  unified('cpu memory pids');
  const driver = createV2Driver(root, 'corten-a', { attachDevices: () => {} });
  const group = driver.create('web', {}, rules);
  const web = join(root, 'corten-a/web');
  for (const [name, pid] of [
    ['init.scope', 7],
    ['work', 8],
  ] as const) {
    mkdirSync(join(web, name));
    writeFileSync(join(web, name, 'cgroup.procs'), `${pid}\n`);
  }
  const placeOf = (place?: Place) => {
    const { directoryFd = -1 } = group.placement(place);
    const path = readlinkSync(`/proc/self/fd/${directoryFd}`);
    closeSync(directoryFd);
    return path;
  };
  assert.equal(placeOf({ beside: 7 }), web);
  writeFileSync(join(web, 'cgroup.subtree_control'), 'memory pids\n');
  assert.equal(placeOf({ beside: 7 }), join(web, 'init.scope'));
  assert.equal(placeOf({ beside: 8 }), join(web, 'work'));
  // One that has just ended: the kernel says why there is no place.
  assert.equal(placeOf({ beside: 9 }), web);
  assert.equal(placeOf({ beside: 7, below: '/work' }), join(web, 'work'));
  for (const below of ['..', '/../other', 'work/../../other'])
    assert.throws(() => group.placement({ below }), /is not below the container's control group/);
});

test('names stay single components', () => {
  unified('cpu');
  for (const name of ['', '.', '..', 'a/b', '-x', 'a b', 'x'.repeat(200)]) {
    assert.throws(() => createV2Driver(root, name), { kind: 'invalid' }, name);
    const driver = createV2Driver(root, 'corten-a', { attachDevices: () => {} });
    assert.throws(() => driver.open(name), { kind: 'invalid' }, name);
  }
});

test('a machine without control groups is told so', () => {
  assert.throws(() => detectCgroupDriver({ parent: 'corten-a', root }), /mount cgroup2/);
});

test('mountinfo: hybrid, co-mounted, renamed and escaped', () => {
  const groups = mountedGroups(
    [
      '31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
      '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct',
      '33 31 0:30 / /odd\\040place/memory rw - cgroup cgroup rw,memory',
      '34 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd',
      '35 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
      '36 31 0:30 / /elsewhere/memory rw - cgroup cgroup rw,memory',
      '',
    ].join('\n'),
  );
  assert.equal(groups.unified, '/sys/fs/cgroup/unified');
  assert.deepEqual(
    [...groups.hierarchies],
    [
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct'],
      ['memory', '/odd place/memory'],
      ['systemd', '/sys/fs/cgroup/systemd'],
    ],
  );
});
