/** A temporary directory poses as a group: what is written for which limit, on both versions. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { applyCpuV1, applyCpuV2, readCpuV1, readCpuV2, weightOfShares } from './cpu.ts';
import { applyCpusetV1, applyCpusetV2, inheritCpusetV1, numbersOf } from './cpuset.ts';
import { applyHugetlbV1, applyHugetlbV2, checkPageSizes, pageName } from './hugetlb.ts';
import { applyIoV1, applyIoV2, ioWeightV2, readIoV1, readIoV2 } from './io.ts';
import { applyMemoryV1, applyMemoryV2, oomKillsV2, readMemoryV1, readMemoryV2 } from './memory.ts';
import { applyPids, readPids } from './pids.ts';
import { groupPsiFiles, readPsi } from './psi.ts';

const MiB = 1024 * 1024;
let group: string;
let parent: string;

beforeEach(() => {
  group = mkdtempSync(join(tmpdir(), 'corten-cgroup-'));
  parent = mkdtempSync(join(tmpdir(), 'corten-cgroup-'));
});

afterEach(() => {
  for (const directory of [group, parent]) rmSync(directory, { recursive: true });
});

const put = (file: string, text: string, directory = group) =>
  writeFileSync(join(directory, file), `${text}\n`);
const get = (file: string) => readFileSync(join(group, file), 'utf8').trim();

test('shares become weights through the three points that matter', () => {
  assert.deepEqual(
    [0, 2, 1024, 262_144, 1_000_000].map(weightOfShares),
    [1, 1, 100, 10_000, 10_000],
  );
  assert.ok(weightOfShares(512) < 100 && weightOfShares(2048) > 100);
});

test('cpu on v2: one file holds quota and period', () => {
  put('cpu.max', 'max 100000');
  applyCpuV2(group, { quotaMicros: 50_000 });
  assert.equal(get('cpu.max'), '50000 100000');
  applyCpuV2(group, { periodMicros: 20_000 });
  assert.equal(get('cpu.max'), '50000 20000');
  applyCpuV2(group, { quotaMicros: null, periodMicros: null });
  assert.equal(get('cpu.max'), 'max 100000');
  applyCpuV2(group, { shares: 1024 });
  assert.equal(get('cpu.weight'), '100');
  applyCpuV2(group, { shares: null, burstMicros: 5 });
  assert.equal(get('cpu.max.burst'), '5');
});

test('a quota that is what it was is not written, on v1 and v2: it would let all run that wait for it', () => {
  // What is written here has no end of line.
  put('cpu.max', '50000 100000');
  applyCpuV2(group, { quotaMicros: 50_000, periodMicros: null });
  put('cpu.cfs_quota_us', '50000');
  put('cpu.cfs_period_us', '100000');
  applyCpuV1(group, { quotaMicros: 50_000, periodMicros: null });
  for (const file of ['cpu.max', 'cpu.cfs_quota_us', 'cpu.cfs_period_us'])
    assert.match(readFileSync(join(group, file), 'utf8'), /\n$/, file);
});

test('cpu on v1: a file each, and -1 for no quota', () => {
  applyCpuV1(group, { quotaMicros: 50_000, periodMicros: 10_000, shares: 2 });
  assert.deepEqual(['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.shares'].map(get), [
    '50000',
    '10000',
    '2',
  ]);
  applyCpuV1(group, { quotaMicros: null, periodMicros: null, shares: null });
  assert.deepEqual(['cpu.cfs_quota_us', 'cpu.cfs_period_us', 'cpu.shares'].map(get), [
    '-1',
    '100000',
    '1024',
  ]);
});

test('what is not asked for is not written', () => {
  applyCpuV1(group, {});
  applyCpuV2(group, {});
  applyMemoryV1(group, {});
  applyMemoryV2(group, {});
  assert.throws(() => get('cpu.max'), { code: 'ENOENT' });
  assert.throws(() => get('memory.max'), { code: 'ENOENT' });
});

test('memory on v2: swap is the sum less the memory', () => {
  put('memory.swap.max', 'max');
  put('memory.max', 'max');
  applyMemoryV2(group, { maxBytes: 64 * MiB, maxWithSwapBytes: 96 * MiB });
  assert.deepEqual(['memory.max', 'memory.swap.max'].map(get), [
    String(64 * MiB),
    String(32 * MiB),
  ]);
  // The sum stays when only the memory changes.
  applyMemoryV2(group, { maxBytes: 80 * MiB });
  assert.equal(get('memory.swap.max'), String(16 * MiB));
  assert.throws(() => applyMemoryV2(group, { maxBytes: 128 * MiB }), /already set memoryswap/);
  applyMemoryV2(group, { maxBytes: 64 * MiB, maxWithSwapBytes: 64 * MiB });
  assert.equal(get('memory.swap.max'), '0');
  applyMemoryV2(group, { maxWithSwapBytes: null });
  assert.equal(get('memory.swap.max'), 'max');
  applyMemoryV2(group, { maxBytes: null });
  assert.equal(get('memory.max'), 'max');
  assert.throws(
    () => applyMemoryV2(group, { maxBytes: 2 * MiB, maxWithSwapBytes: MiB }),
    /memoryswap/,
  );
});

test('memory on v2: below what cannot be reclaimed is a conflict, not a kill', () => {
  put('memory.current', String(50 * MiB));
  put('memory.stat', `inactive_file ${20 * MiB}\nactive_file ${5 * MiB}`);
  assert.throws(() => applyMemoryV2(group, { maxBytes: 24 * MiB }), { kind: 'conflict' });
  applyMemoryV2(group, { maxBytes: 26 * MiB });
});

test('memory on v2: a limit that comes down reclaims by memory.high before it may kill', () => {
  const files = ['memory.max', 'memory.swap.max', 'memory.high'];
  put('memory.max', 'max');
  put('memory.swap.max', 'max');
  put('memory.high', String(40 * MiB));
  put('memory.current', String(50 * MiB));
  // All of it looks like cache, and none of it goes: here no kernel reclaims.
  put('memory.stat', `inactive_file ${50 * MiB}`);
  assert.throws(() => applyMemoryV2(group, { maxBytes: 26 * MiB, maxWithSwapBytes: 26 * MiB }), {
    kind: 'conflict',
    message: new RegExp(`uses ${50 * MiB} bytes now`),
  });
  assert.deepEqual(files.map(get), ['max', 'max', String(40 * MiB)]);
  applyMemoryV2(group, { maxBytes: 64 * MiB, maxWithSwapBytes: 64 * MiB });
  assert.deepEqual(files.map(get), [String(64 * MiB), '0', String(40 * MiB)]);
});

test('memory on v2: the high mark and who is killed together', () => {
  put('memory.oom.group', '1');
  applyMemoryV2(group, { highBytes: 9 * MiB, oomGroup: false });
  assert.deepEqual(['memory.high', 'memory.oom.group'].map(get), [String(9 * MiB), '0']);
  applyMemoryV2(group, { highBytes: null, oomGroup: null });
  assert.deepEqual(['memory.high', 'memory.oom.group'].map(get), ['max', '1']);
});

test('memory on v1: what it cannot do is refused with a sentence', () => {
  for (const limits of [{ highBytes: 9 * MiB }, { oomGroup: true }])
    assert.throws(() => applyMemoryV1(group, { maxBytes: 8 * MiB, ...limits }), {
      kind: 'invalid',
      message: /cgroup v1, which has no memory\.(high|oom\.group)/,
    });
  assert.throws(() => get('memory.limit_in_bytes'), { code: 'ENOENT' });
  applyMemoryV1(group, { highBytes: null, oomGroup: false });
});

test('memory on v1: swappiness that is taken away is the parent’s again', () => {
  const [outer, inner] = [parent, join(parent, 'inner')];
  mkdirSync(inner);
  put('memory.swappiness', '35', outer);
  applyMemoryV1(inner, { swappiness: 0 });
  applyMemoryV1(inner, { swappiness: null });
  assert.equal(readFileSync(join(inner, 'memory.swappiness'), 'utf8'), '35');
});

test('huge pages: files are named by size, and null is no limit', () => {
  assert.deepEqual([65_536, 2 * MiB, 1024 * MiB].map(pageName), ['64KB', '2MB', '1GB']);
  const limits = [{ pageBytes: 2 * MiB, maxBytes: 4 * MiB, reservedMaxBytes: 0 }];
  const cleared = [{ pageBytes: 2 * MiB, maxBytes: null }];
  const onV1 = ['hugetlb.2MB.limit_in_bytes', 'hugetlb.2MB.rsvd.limit_in_bytes'];
  applyHugetlbV1(group, limits);
  assert.deepEqual(onV1.map(get), [String(4 * MiB), '0']);
  applyHugetlbV1(group, cleared);
  assert.deepEqual(onV1.map(get), ['-1', '0']);
  const onV2 = ['hugetlb.2MB.max', 'hugetlb.2MB.rsvd.max'];
  applyHugetlbV2(group, limits);
  assert.deepEqual(onV2.map(get), [String(4 * MiB), '0']);
  applyHugetlbV2(group, cleared);
  assert.deepEqual(onV2.map(get), ['max', '0']);
  assert.throws(() => checkPageSizes([{ pageBytes: 4096 }], [2 * MiB]), {
    kind: 'invalid',
    message: /no huge pages of 4096 bytes; its sizes are 2097152/,
  });
});

test('io limits of a disk that is gone can be taken away, and not set', () => {
  const device = '/dev/corten-no-such-disk';
  for (const apply of [applyIoV1, applyIoV2]) {
    apply(group, { devices: [{ device, readBytesPerSecond: null }] });
    assert.throws(() => apply(group, { devices: [{ device, readBytesPerSecond: 1 }] }), /exist/);
  }
});

test('memory on v1: a kernel without swap accounting keeps the memory limit', () => {
  applyMemoryV1(group, { maxBytes: MiB, maxWithSwapBytes: 2 * MiB, reservationBytes: 5 });
  assert.equal(get('memory.limit_in_bytes'), String(MiB));
  assert.equal(get('memory.soft_limit_in_bytes'), '5');
  assert.throws(() => get('memory.memsw.limit_in_bytes'), { code: 'ENOENT' });
});

test('pids: negative is none, and 0 is 1', () => {
  const written = [null, -1, 0, 7].map((limit) => {
    applyPids(group, limit);
    return get('pids.max');
  });
  assert.deepEqual(written, ['max', 'max', '1', '7']);
  put('pids.current', '3');
  assert.deepEqual(readPids(group), { current: 3, limit: 7, refusals: 0 });
  put('pids.events', 'max 29');
  assert.equal(readPids(group).refusals, 29);
});

test('cpusets on v1 come filled from the parent, and go back to it', () => {
  put('cpuset.cpus', '0-3', parent);
  put('cpuset.mems', '0', parent);
  put('cpuset.cpus', '');
  inheritCpusetV1(group, parent);
  assert.deepEqual(['cpuset.cpus', 'cpuset.mems'].map(get), ['0-3', '0']);
  applyCpusetV1(group, parent, { cpus: '1' });
  assert.equal(get('cpuset.cpus'), '1');
  applyCpusetV1(group, parent, { cpus: null });
  assert.equal(get('cpuset.cpus'), '0-3');
});

test('cpusets on v2 are checked, since the kernel takes any list', () => {
  put('cpuset.cpus.effective', '0-1', parent);
  applyCpusetV2(group, parent, { cpus: '1' });
  assert.equal(get('cpuset.cpus'), '1');
  assert.throws(() => applyCpusetV2(group, parent, { cpus: '1,2' }), /available: 0-1/);
  applyCpusetV2(group, parent, { cpus: null });
  assert.equal(get('cpuset.cpus'), '0-1');
});

test('CPU lists', () => {
  assert.deepEqual(numbersOf('0-2,4'), [0, 1, 2, 4]);
  for (const list of ['x', '2-1', '1-', '-1', '1;2'])
    assert.throws(() => numbersOf(list), { kind: 'invalid' }, list);
});

test('io weights', () => {
  assert.deepEqual([10, 1000].map(ioWeightV2), [1, 10_000]);
});

test('io weights on v2: one disk’s, and none of its own', () => {
  const device = '254:0';
  for (const [file, written] of [
    ['io.weight', '10000'],
    ['io.bfq.weight', '1000'],
  ] as const) {
    put(file, 'default 100');
    applyIoV2(group, { devices: [{ device, weight: 1000 }] });
    assert.equal(get(file), `${device} ${written}`);
    applyIoV2(group, { devices: [{ device, weight: null }] });
    // The kernel's own word for it; a number would stay where all disks are given another one.
    assert.equal(get(file), `${device} default`);
    applyIoV2(group, { weight: null });
    assert.equal(get(file), 'default 100');
  }
});

test('usage on v1', () => {
  put('cpu.stat', 'nr_periods 4\nnr_throttled 2\nthrottled_time 9000');
  put('cpuacct.usage', '123');
  put('cpuacct.usage_user', '100');
  put('cpuacct.usage_sys', '23');
  put('cpuacct.usage_percpu', '60 63 ');
  assert.deepEqual(readCpuV1(group, group), {
    totalNanos: 123,
    userNanos: 100,
    systemNanos: 23,
    perCpuNanos: [60, 63],
    periods: 4,
    throttledPeriods: 2,
    throttledNanos: 9000,
  });
  put('memory.limit_in_bytes', '9223372036854771712');
  put('memory.usage_in_bytes', '4096');
  put('memory.stat', 'cache 1\ntotal_inactive_file 77\ntotal_swap 5');
  put('memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 3');
  const memory = readMemoryV1(group);
  assert.deepEqual(
    [
      memory.limitBytes,
      memory.usageBytes,
      memory.inactiveFileBytes,
      memory.swapBytes,
      memory.oomKills,
    ],
    [undefined, 4096, 77, 5, 3],
  );
  put('blkio.throttle.io_service_bytes', '8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3');
  put('blkio.throttle.io_service_bytes_recursive', '8:0 Read 10\n8:0 Write 20\nTotal 30');
  put('blkio.throttle.io_serviced', '8:0 Read 4\n8:0 Write 5');
  assert.deepEqual(readIoV1(group), [
    { major: 8, minor: 0, readBytes: 10, writeBytes: 20, readOperations: 4, writeOperations: 5 },
  ]);
});

test('usage on v2', () => {
  put(
    'cpu.stat',
    'usage_usec 10\nuser_usec 6\nsystem_usec 4\nnr_periods 3\nnr_throttled 1\nthrottled_usec 2',
  );
  const cpu = readCpuV2(group);
  assert.deepEqual([cpu.totalNanos, cpu.userNanos, cpu.throttledNanos], [10_000, 6000, 2000]);
  put('memory.max', 'max');
  put('memory.current', '9');
  put('memory.events', 'low 0\nhigh 0\nmax 6\noom 1\noom_kill 2');
  const memory = readMemoryV2(group);
  assert.deepEqual([memory.limitBytes, memory.failures, memory.oomKills], [undefined, 6, 2]);
  put('io.stat', '254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n7:0');
  assert.deepEqual(readIoV2(group), [
    { major: 254, minor: 0, readBytes: 1, writeBytes: 2, readOperations: 3, writeOperations: 4 },
  ]);
});

test('kills on v2: with memory.oom.group the kernel counts the chosen process twice', () => {
  const kills = (events: string) => {
    put('memory.events', events);
    return [readMemoryV2(group).oomKills, oomKillsV2(group)];
  };
  assert.deepEqual(kills('oom 1\noom_kill 2\noom_group_kill 1'), [1, 1]);
  assert.deepEqual(kills('oom 3\noom_kill 9\noom_group_kill 2'), [7, 7]);
  // One that had ended before its group was gone through was counted once.
  assert.deepEqual(kills('oom 1\noom_kill 1\noom_group_kill 1'), [1, 1]);
  assert.deepEqual(kills('oom 2\noom_kill 2\noom_group_kill 0'), [2, 2]);
  // Linux before 5.17 does not count groups.
  assert.deepEqual(kills('oom 1\noom_kill 2'), [2, 2]);
});

test('pressure: exact totals, a CPU without `full`, and none at all', () => {
  assert.equal(readPsi(group, groupPsiFiles), undefined);
  put('cpu.pressure', 'some avg10=1.00 avg60=0.00 avg300=0.00 total=123');
  put('memory.pressure', 'some avg10=0.00 total=5\nfull avg10=0.00 total=4');
  put('io.pressure', 'some avg10=0.00 total=7\nfull avg10=0.00 total=6');
  assert.deepEqual(readPsi(group, groupPsiFiles), {
    cpu: { someMicros: 123, fullMicros: 0 },
    memory: { someMicros: 5, fullMicros: 4 },
    io: { someMicros: 7, fullMicros: 6 },
  });
});
