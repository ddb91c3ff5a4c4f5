/**
 * Each limit against a program that tries to exceed it, and a neighbour that must not suffer; on
 * whichever version this machine has. Proofs are the kernel's counters, never the clock.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { Limits } from '../contract/limits.ts';
import type { OciDeviceRule } from '../contract/oci-runtime.ts';
import { until } from '../e2e/until.ts';
import { detectCgroupDriver } from './detect.ts';
import { exitOf, runIn, statusField } from './testdata/group-process.ts';
import { anyDevice, testGroups } from './testdata/test-groups.ts';

const MiB = 1024 * 1024;
const { driver, directory, create } = testGroups('limits', (parent) =>
  detectCgroupDriver({ parent }),
);

const endless = 'while :; do :; done';

test('a busy loop gets its quota and no more; its neighbour is not throttled', async () => {
  // So little that it is reached also where many others want the processors.
  const limited = create({ cpu: { quotaMicros: 2000, periodMicros: 100_000 } });
  const free = create();
  runIn(limited, endless);
  runIn(free, endless);
  await until(() => limited.usage().cpu.throttledPeriods >= 30, 'thirty periods');
  const { periods, totalNanos, throttledNanos } = limited.usage().cpu;
  // A period may be overrun until a tick comes, which those that follow pay for. Thirty are three seconds.
  const most = periods * 2_000_000 * 1.5 + 150_000_000;
  assert.ok(totalNanos < most, `${totalNanos} ns in ${periods} periods`);
  assert.ok(throttledNanos > 0);
  assert.equal(free.usage().cpu.throttledPeriods, 0);
});

test('a quota can be raised and taken away while a loop runs', async () => {
  const group = create({ cpu: { quotaMicros: 2000 } });
  runIn(group, endless);
  await until(() => group.usage().cpu.throttledPeriods > 2, 'throttling');
  group.update({ cpu: { quotaMicros: null } });
  const { totalNanos, throttledPeriods } = group.usage().cpu;
  await until(() => group.usage().cpu.totalNanos > totalNanos + 300_000_000, 'work');
  assert.ok(group.usage().cpu.throttledPeriods <= throttledPeriods + 1);
});

test('burst is kept below the quota in whatever order both change', () => {
  const group = create({ cpu: { quotaMicros: 50_000, burstMicros: 40_000 } });
  group.update({ cpu: { quotaMicros: 10_000 } });
  group.update({ cpu: { quotaMicros: 90_000, burstMicros: 80_000 } });
  group.update({ cpu: { quotaMicros: 30_000, periodMicros: 50_000, burstMicros: 20_000 } });
  assert.throws(() => group.update({ cpu: { quotaMicros: 10 } }), { kind: 'invalid' });
});

test('shares divide a CPU that two want', async () => {
  const one = create({ cpu: { shares: 4096, cpus: '0' } });
  const other = create({ cpu: { shares: 512, cpus: '0' } });
  runIn(one, endless);
  runIn(other, endless);
  await until(() => one.usage().cpu.totalNanos > 1_500_000_000, 'a second and a half');
  // Eight to one; three leaves room for what else this machine does.
  assert.ok(one.usage().cpu.totalNanos > 3 * other.usage().cpu.totalNanos);
});

test('a CPU list binds every process, and only real CPUs can be asked for', async () => {
  const group = create({ cpu: { cpus: '0' } });
  const child = runIn(group, 'sleep 60');
  assert.equal(statusField(child.pid ?? 0, 'Cpus_allowed_list'), '0');
  group.update({ cpu: { cpus: null } });
  // Whoever runs the tests on one CPU alone gives children no other.
  if (statusField(process.pid, 'Cpus_allowed_list') !== '0')
    assert.notEqual(statusField(child.pid ?? 0, 'Cpus_allowed_list'), '0');
  assert.throws(() => group.update({ cpu: { cpus: '0,500' } }), {
    kind: 'invalid',
    message: /Requested CPUs are not available - requested 0,500/,
  });
  assert.throws(() => group.update({ cpu: { mems: '7' } }), /memory nodes are not available/);
});

test('an allocator is killed at its limit, and its neighbour lives', async () => {
  const limited = create({ memory: { maxBytes: 32 * MiB, maxWithSwapBytes: 32 * MiB } });
  const free = create();
  const neighbour = runIn(free, 'exec sleep 60');
  // tail keeps the whole of an endless line.
  const { signal } = await exitOf(runIn(limited, 'exec tail /dev/zero'));
  assert.equal(signal, 'SIGKILL');
  assert.ok(limited.oomKills() >= 1);
  assert.equal(limited.usage().memory.limitBytes, 32 * MiB);
  assert.equal(free.oomKills(), 0);
  assert.equal(neighbour.exitCode, null);
});

test('on v2 the whole container ends when one process is killed for memory', async () => {
  const group = create({ memory: { maxBytes: 32 * MiB, maxWithSwapBytes: 32 * MiB } });
  await exitOf(runIn(group, '(sleep 60 >/dev/null 2>&1 &) ; exec tail /dev/zero'));
  const others = driver.version === 2 ? 0 : 1;
  await until(() => group.processes().length === others, 'only those stay that should');
});

const hasSwap = readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;

test('swap is used up to the sum, and not at all without one', { skip: !hasSwap }, async () => {
  // The middle one keeps all 48 MB before it lets the last byte go.
  const fill = 'head -c 48000000 /dev/zero | tail -c 47000000 | tail -c 1';
  const swapping = create({ memory: { maxBytes: 32 * MiB, maxWithSwapBytes: 96 * MiB } });
  assert.equal((await exitOf(runIn(swapping, fill))).output.length, 1);
  assert.equal(swapping.oomKills(), 0);
  const strict = create({ memory: { maxBytes: 32 * MiB, maxWithSwapBytes: 32 * MiB } });
  assert.equal((await exitOf(runIn(strict, fill))).output.length, 0);
  assert.ok(strict.oomKills() >= 1);
});

test('memory limits go up, down and away; below present use is a conflict', async () => {
  const group = create({ memory: { maxBytes: 64 * MiB, maxWithSwapBytes: 64 * MiB } });
  // A tmpfs file cannot be reclaimed without swap: it is what the group surely uses.
  const shm = mkdtempSync('/dev/shm/corten-limits-');
  try {
    await exitOf(runIn(group, `head -c ${30 * MiB} /dev/zero > ${join(shm, 'file')}`));
    group.update({ memory: { maxBytes: 48 * MiB, maxWithSwapBytes: 48 * MiB } });
    group.update({ memory: { maxBytes: 256 * MiB, maxWithSwapBytes: 512 * MiB } });
    assert.equal(group.usage().memory.limitBytes, 256 * MiB);
    assert.throws(
      () => group.update({ memory: { maxBytes: 8 * MiB, maxWithSwapBytes: 8 * MiB } }),
      { kind: 'conflict', message: /uses/ },
    );
    assert.throws(() => group.update({ memory: { maxBytes: 1024 * MiB } }), {
      kind: 'invalid',
      message: /already set memoryswap limit/,
    });
    group.update({ memory: { maxBytes: null } });
    assert.equal(group.usage().memory.limitBytes, undefined);
    group.update({ memory: { maxBytes: 128 * MiB } });
    assert.equal(group.usage().memory.limitBytes, 128 * MiB);
  } finally {
    rmSync(shm, { recursive: true });
  }
});

test('on v1 a high mark and killing together are refused, also for what does not run', () => {
  if (driver.version === 2) return;
  for (const memory of [{ highBytes: 32 * MiB }, { oomGroup: true }]) {
    assert.throws(() => driver.check({ memory }), { kind: 'invalid', message: /cgroup v1/ });
    assert.throws(() => create({ memory }), { kind: 'invalid', message: /cgroup v1/ });
  }
});

/** Of the kind that this machine has free, or may make: without any, nothing can be charged. */
const pages = (file: string) => {
  const path = `/sys/kernel/mm/hugepages/hugepages-2048kB/${file}`;
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
};
const pageBytes = 2 * MiB;
const countsPages = driver.controllers.includes('hugetlb');

test('huge pages: a limit holds from birth or later, wherever the controller is', {
  skip: !countsPages,
}, async () => {
  const born = create({ hugetlb: [{ pageBytes, maxBytes: 2 * pageBytes, reservedMaxBytes: 0 }] });
  const later = create();
  const neighbour = create();
  const [first, second, third] = [born, later, neighbour].map((group) => runIn(group, 'sleep 60'));
  later.update({ hugetlb: [{ pageBytes, maxBytes: pageBytes }] });
  const limitOf = (child: ChildProcess | undefined) => hugetlbFile(child?.pid ?? 0, '2MB.max');
  assert.deepEqual([first, second].map(limitOf), [String(2 * pageBytes), String(pageBytes)]);
  assert.equal(hugetlbFile(first?.pid ?? 0, '2MB.rsvd.max'), '0');
  assert.ok([undefined, 'max'].includes(limitOf(third)));
  later.update({ hugetlb: [{ pageBytes, maxBytes: null }] });
  assert.equal(limitOf(second), 'max');
  assert.throws(() => driver.check({ hugetlb: [{ pageBytes: 12_345 }] }), /no huge pages/);
  const names = driver.list();
  born.kill();
  if (first) await once(first, 'exit');
  await born.remove();
  assert.ok(names.includes(born.name) && !driver.list().includes(born.name));
});

test('huge pages: a limit holds further down too', { skip: !countsPages }, async () => {
  const top = mkdtempSync(join(tmpdir(), 'corten-limits-'));
  const deep = detectCgroupDriver({ parent: [basename(top), 'below'] });
  const group = deep.create('g', { hugetlb: [{ pageBytes, maxBytes: pageBytes }] }, anyDevice);
  const child = runIn(group, 'sleep 60');
  const limit = hugetlbFile(child.pid ?? 0, '2MB.max');
  group.kill();
  await once(child, 'exit');
  await group.remove();
  deep.removeParent();
  detectCgroupDriver({ parent: basename(top) }).removeParent();
  rmSync(top, { recursive: true });
  assert.equal(limit, String(pageBytes));
});

test('huge pages: a program gets as many as its limit, and its neighbour more', {
  skip: !countsPages || pages('free_hugepages') + pages('nr_overcommit_hugepages') < 8,
}, async () => {
  const limited = create({ hugetlb: [{ pageBytes, maxBytes: 2 * pageBytes }] });
  const free = create();
  const program = join(import.meta.dirname, '../../dist/probes/touch-pages');
  const touch = (count: number) => `exec ${program} ${count} ${pageBytes}`;
  assert.equal((await exitOf(runIn(limited, touch(2)))).code, 0);
  // Beyond the limit a page that is touched cannot be had: the kernel answers with SIGBUS.
  assert.equal((await exitOf(runIn(limited, touch(4)))).signal, 'SIGBUS');
  assert.equal((await exitOf(runIn(free, touch(4)))).code, 0);
});

/** A control file of the group that the process is in, in whichever hierarchy counts huge pages. */
function hugetlbFile(pid: number, file: string): string | undefined {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n');
  const path = lines.find((line) => line.startsWith('0::'))?.slice(3);
  const mount = ['/sys/fs/cgroup/unified', '/sys/fs/cgroup'].find((directory) =>
    existsSync(`${directory}/cgroup.controllers`),
  );
  const full = `${mount}${path}/hugetlb.${file}`;
  return existsSync(full) ? readFileSync(full, 'utf8').trim() : undefined;
}

test('a fork bomb stops at the process limit', async () => {
  const group = create({ pids: 12 });
  const bomb = 'for i in $(seq 100); do sleep 60 >/dev/null 2>&1 & done';
  const { output } = await exitOf(runIn(group, bomb));
  assert.match(output, /fork/i);
  const { current, limit } = group.usage().pids;
  assert.equal(limit, 12);
  assert.ok(current <= 12, `${current} processes`);
  group.update({ pids: null });
  assert.equal(group.usage().pids.limit, undefined);
});

test('only allowed devices can be opened', async () => {
  const rules: OciDeviceRule[] = [
    { allow: true, type: 'c', access: 'm' },
    { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
    { allow: true, type: 'c', major: 1, minor: 9, access: 'r' },
  ];
  const group = create({}, rules);
  const tries = async (line: string) => (await exitOf(runIn(group, `${line} 2>&1`))).code;
  assert.equal(await tries('echo x > /dev/null'), 0);
  assert.equal(await tries('head -c 1 /dev/urandom'), 0);
  assert.notEqual(await tries('head -c 1 /dev/zero'), 0);
  assert.notEqual(await tries('echo x > /dev/urandom'), 0);
  const node = join(directory, 'node');
  assert.equal(await tries(`mknod ${node} c 1 5 && rm ${node}`), 0);
  assert.notEqual(await tries(`mknod ${node} b 254 0`), 0);
  rmSync(node, { force: true });
});

test('a later rule takes back what an earlier one gave', async () => {
  const group = create({}, [
    { allow: true, type: 'a', access: 'rwm' },
    { allow: false, type: 'c', major: 1, minor: 5, access: 'r' },
  ]);
  assert.equal((await exitOf(runIn(group, 'echo x > /dev/zero'))).code, 0);
  assert.notEqual((await exitOf(runIn(group, 'head -c 1 /dev/zero'))).code, 0);
});

const disk = diskOf(directory);

/** The block device whose file system the directory is on; none on one that has no device or its own. */
function diskOf(path: string): string | undefined {
  const { dev } = statSync(path);
  // makedev(3)'s layout, as far as numbers below 2^32 go.
  const [major, minor] = [(dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00)];
  const facts = `/sys/dev/block/${major}:${minor}/uevent`;
  const name = existsSync(facts) && /^DEVNAME=(.+)$/m.exec(readFileSync(facts, 'utf8'))?.[1];
  return name ? `/dev/${name}` : undefined;
}

const rates = [
  ['bytes', 'writeBytesPerSecond', MiB],
  ['operations', 'writeOperationsPerSecond', 2],
] as const;
for (const [what, name, most] of rates)
  test(`a writer keeps to its rate of ${what} while its neighbour does not`, {
    skip: !disk,
  }, async () => {
    assert.ok(disk);
    const limited = create({ io: { devices: [{ device: disk, [name]: most }] } });
    const free = create();
    const writer = (file: string) =>
      `exec dd if=/dev/zero of=${join(directory, file)} bs=256k count=128 oflag=direct`;
    const held = runIn(limited, writer('limited'));
    const ended = once(held, 'exit');
    const written = () => limited.usage().io.reduce((sum, one) => sum + one.writeBytes, 0);
    // On a slow machine the other could be done before this one has begun.
    await until(() => written() > 0, 'the throttled writer begins');
    const { code, output } = await exitOf(runIn(free, writer('free')));
    assert.equal(code, 0, output);
    assert.equal(held.exitCode, null, 'the throttled writer is still at it');
    assert.ok(written() < 32 * MiB, `${written()} bytes`);
    limited.update({ io: { devices: [{ device: disk, [name]: null }] } });
    await ended;
    assert.equal(held.exitCode, 0);
  });

test('a rate of one is kept, or refused with the least that this kernel can keep', {
  skip: !disk,
}, () => {
  assert.ok(disk);
  const group = create();
  const one = { device: disk, readOperationsPerSecond: 1 };
  const [controller, file] =
    driver.version === 2 ? ['', 'io.max'] : ['blkio', 'blkio.throttle.read_iops_device'];
  const kept = () => readFileSync(join(group.paths.get(controller) ?? '', file), 'utf8');
  let refused = '';
  try {
    group.update({ io: { devices: [one] } });
  } catch (error) {
    refused = (error as Error).message;
  }
  if (refused === '') assert.match(kept(), /(riops=| )1\b/);
  else assert.match(refused, /no rate of 1 .*: ask for 2 or more/);
  group.update({ io: { devices: [{ ...one, readOperationsPerSecond: 2 }] } });
  assert.match(kept(), /(riops=| )2\b/);
});

test('io limits need a block device', () => {
  const group = create();
  for (const device of ['/dev/null', '/nonexistent', '/etc/passwd'])
    assert.throws(() => group.update({ io: { devices: [{ device, readBytesPerSecond: 1 }] } }), {
      kind: 'invalid',
      message: /block device/,
    });
});

test('a frozen group stands still, and goes on when thawed', async () => {
  const group = create();
  runIn(group, endless);
  await until(() => group.usage().cpu.totalNanos > 50_000_000, 'it runs');
  group.freeze();
  const stopped = group.usage().cpu.totalNanos;
  const neighbour = create();
  runIn(neighbour, endless);
  await until(() => neighbour.usage().cpu.totalNanos > 200_000_000, 'others ran meanwhile');
  assert.equal(group.usage().cpu.totalNanos, stopped);
  group.thaw();
  await until(() => group.usage().cpu.totalNanos > stopped + 50_000_000, 'it goes on');
});

test('kill ends every process, forking or frozen, and the group goes', async () => {
  // At its limit the shell itself would end, for want of a fork.
  const forking = create({ pids: 2000 });
  const bomb = runIn(forking, '(while :; do sleep 0.01 & done) 2>/dev/null');
  await until(() => forking.usage().pids.current > 5, 'it forks');
  forking.kill();
  assert.equal((await exitOf(bomb)).signal, 'SIGKILL');
  await forking.remove();
  assert.ok([...forking.paths.values()].every((path) => !existsSync(path)));

  const frozen = create();
  const child = runIn(frozen, 'sleep 60');
  frozen.freeze();
  frozen.kill();
  await once(child, 'exit');
  await frozen.remove();
  await frozen.remove();
});

test('groups made inside a group are killed and removed with it', async () => {
  const group = create();
  const [directory] = group.paths.values();
  const inner = `${directory}/inner`;
  const child: ChildProcess = runIn(
    group,
    `mkdir ${inner} && cat ${directory}/cpuset.cpus > ${inner}/cpuset.cpus 2>/dev/null; echo $$ > ${inner}/cgroup.procs; exec sleep 60`,
  );
  const procs = `${inner}/cgroup.procs`;
  await until(() => existsSync(procs) && readFileSync(procs, 'utf8') !== '', 'it moved');
  assert.ok(group.processes().includes(child.pid ?? 0));
  group.kill();
  await once(child, 'exit');
  await group.remove();
  assert.ok(!existsSync(inner));
});

test('a group that cannot be made leaves nothing', () => {
  const before = driver.list();
  const bad: Limits[] = [
    { cpu: { cpus: '999' } },
    { cpu: { quotaMicros: 1 } },
    { memory: { maxBytes: 64 * MiB, maxWithSwapBytes: 32 * MiB } },
    { io: { devices: [{ device: '/dev/null', readBytesPerSecond: 1 }] } },
  ];
  for (const limits of bad)
    assert.throws(() => create(limits), { kind: 'invalid' }, JSON.stringify(limits));
  assert.throws(() => create({}, [{ allow: true, type: 'c', access: 'x' }]), { kind: 'invalid' });
  assert.throws(() => driver.create('../escape', {}, anyDevice), { kind: 'invalid' });
  assert.deepEqual(driver.list(), before);
});

test('a group that a crash left behind is replaced, one in use is not', async () => {
  const left = create({ pids: 5 });
  const again = driver.create(left.name, {}, anyDevice);
  assert.equal(again.usage().pids.limit, undefined);
  const child = runIn(again, 'exec sleep 60');
  assert.throws(() => driver.create(left.name, {}, anyDevice), {
    kind: 'conflict',
    message: new RegExp(String(child.pid)),
  });
  assert.deepEqual(again.processes(), [child.pid]);
  assert.deepEqual(driver.open(left.name).processes(), [child.pid]);
});

test('usage names what the kernel counts', async () => {
  const group = create({ memory: { maxBytes: 64 * MiB } });
  await exitOf(runIn(group, 'head -c 5000000 /dev/zero | tail -c 4000000 > /dev/null'));
  const usage = group.usage();
  assert.ok(usage.cpu.totalNanos > 0);
  assert.ok((usage.memory.maxUsageBytes ?? 0) > 0);
  assert.ok(Object.keys(usage.memory.stat).length > 10);
  assert.equal(usage.pids.current, 0);
  // All of the machine's, also those that these tests may not run on.
  if (driver.version === 1)
    assert.ok((usage.cpu.perCpuNanos?.length ?? 0) >= availableParallelism());
});

test('oom kills of a group that is gone are none', async () => {
  const group = create();
  await group.remove();
  assert.equal(group.oomKills(), 0);
  assert.deepEqual(group.processes(), []);
});

test('a meter reads what usage reads, and zeroes once the group is gone', async () => {
  const group = create({ pids: 12, memory: { maxBytes: 32 * MiB } });
  const meter = group.meter();
  const { memory, pids } = meter.read();
  assert.deepEqual([memory.limitBytes, pids.limit], [32 * MiB, 12]);
  group.update({ pids: 13 });
  assert.equal(meter.read().pids.limit, 13);
  assert.deepEqual(Object.keys(meter.read().memory.stat), Object.keys(group.usage().memory.stat));
  await group.remove();
  assert.equal(meter.read().memory.usageBytes, 0);
  meter.close();
});
