import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Cgroup } from '../cgroup/cgroup.ts';
import type { OciResources } from '../contract/oci-runtime.ts';
import { cgroupPlace } from './cgroup-path.ts';
import { applyOtherLimits, deviceRulesOf, limitsOf } from './resources.ts';

test('-1 takes a limit away, 0 and nothing leave it', () => {
  const limits = limitsOf({
    memory: { limit: -1, swap: 0 },
    pids: { limit: 0 },
    cpu: { quota: -1 },
  });
  assert.equal(limits.memory?.maxBytes, null);
  assert.equal(limits.memory?.maxWithSwapBytes, undefined);
  assert.equal(limits.cpu?.quotaMicros, null);
  assert.equal('pids' in limits, false);
});

test('rates of one device come together', () => {
  const device = { major: 8, minor: 0 };
  const { io } = limitsOf({
    blockIO: {
      throttleReadBpsDevice: [{ ...device, rate: 1000 }],
      throttleWriteIOPSDevice: [{ ...device, rate: 20 }],
    },
  });
  assert.deepEqual(io?.devices, [
    { device: '8:0', readBytesPerSecond: 1000, writeOperationsPerSecond: 20 },
  ]);
});

test('huge pages are limits like the others', () => {
  const limits = (pageSize: string) => limitsOf({ hugepageLimits: [{ pageSize, limit: 4096 }] });
  assert.deepEqual(limits('2MB').hugetlb, [{ pageBytes: 2 * 1024 ** 2, maxBytes: 4096 }]);
  assert.deepEqual(limits('64KB').hugetlb, [{ pageBytes: 64 * 1024, maxBytes: 4096 }]);
  assert.deepEqual(limits('1GB').hugetlb, [{ pageBytes: 1024 ** 3, maxBytes: 4096 }]);
  for (const wrong of ['2', '2mb', '0MB', '../2MB', '2MB.rsvd'])
    assert.throws(() => limits(wrong), { kind: 'invalid' }, wrong);
});

test('the default devices may be opened whatever the list says, and nothing else by default', () => {
  const [first, ...rest] = deviceRulesOf({ devices: [{ allow: false, access: 'rwm' }] });
  assert.deepEqual([first?.allow, first?.type], [false, 'a']);
  assert.ok(rest.some(({ major, minor }) => major === 1 && minor === 3));
  assert.ok(deviceRulesOf({}).every(({ type }) => type !== 'a'));
  assert.throws(() => deviceRulesOf({ devices: [{ allow: true, type: 'x' }] }), /use a, b or c/);
});

test('a group’s place', () => {
  assert.deepEqual(cgroupPlace(undefined, 'id'), { parent: ['corten-oci'], name: 'id' });
  assert.deepEqual(cgroupPlace('/one', 'id'), { parent: [], name: 'one' });
  assert.deepEqual(cgroupPlace('/a/../b/c', 'id'), { parent: ['b'], name: 'c' });
  assert.deepEqual(cgroupPlace('a/b', 'id'), { parent: ['corten-oci', 'a'], name: 'b' });
  assert.throws(() => cgroupPlace('/', 'id'), /root of all groups/);
});

/** A group whose directories are folders: what is written there is what the kernel would have got. */
function fakeGroup(files: Record<string, string>): { cgroup: Cgroup; read(file: string): string } {
  const directory = mkdtempSync(join(tmpdir(), 'corten-resources-'));
  after(() => rmSync(directory, { recursive: true }));
  for (const [file, content] of Object.entries(files))
    writeFileSync(join(directory, file), content);
  const cgroup = { paths: new Map([['', directory]]) } as unknown as Cgroup;
  return { cgroup, read: (file) => readFileSync(join(directory, file), 'utf8') };
}

test('RDMA limits are a line for each device', () => {
  const { cgroup, read } = fakeGroup({ 'rdma.max': '' });
  applyOtherLimits(cgroup, { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10_000 } } });
  assert.equal(read('rdma.max'), 'mlx5_1 hca_handle=3 hca_object=10000');
  applyOtherLimits(cgroup, { rdma: { mlx4_0: { hcaObjects: 5 } } });
  assert.equal(read('rdma.max'), 'mlx4_0 hca_object=5');
  const wrong: OciResources['rdma'][] = [{ mlx4_0: {} }, { 'a b': { hcaObjects: 1 } }];
  for (const rdma of wrong)
    assert.throws(() => applyOtherLimits(cgroup, { rdma }), { kind: 'invalid' });
});

test('realtime turns: a runtime never above its period on the way, and an error where there are none', () => {
  const files = { 'cpu.rt_runtime_us': '1000', 'cpu.rt_period_us': '2000' };
  const { cgroup, read } = fakeGroup(files);
  applyOtherLimits(cgroup, { cpu: { realtimeRuntime: 300, realtimePeriod: 500 } });
  assert.deepEqual([read('cpu.rt_runtime_us'), read('cpu.rt_period_us')], ['300', '500']);
  applyOtherLimits(cgroup, { cpu: { realtimePeriod: 9000 } });
  assert.deepEqual([read('cpu.rt_runtime_us'), read('cpu.rt_period_us')], ['300', '9000']);
  const none = fakeGroup({});
  assert.throws(
    () => applyOtherLimits(none.cgroup, { cpu: { realtimeRuntime: 5 } }),
    /no realtime limits for cgroups/,
  );
});

test('unified: a file is written by its name, and what is missing is told: the form, the controller or the file', () => {
  const { cgroup, read } = fakeGroup({ 'memory.high': 'max', 'cgroup.controllers': 'cpu memory' });
  applyOtherLimits(cgroup, { unified: { 'memory.high': '1048576' } });
  assert.equal(read('memory.high'), '1048576');
  const refused = (file: string, message: RegExp) =>
    assert.throws(() => applyOtherLimits(cgroup, { unified: { [file]: '1' } }), message);
  refused('HIGH', /has not the form CONTROLLER.VALUE `HIGH`/);
  refused('misc.max', /controller `misc` is not available for misc.max/);
  refused('memory.more', /this kernel has no memory.more: no such file or directory/);
  refused('cgroup.more', /this kernel has no cgroup.more/);
  refused('../memory.high', /is not a file's name/);
});
