import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroupPlace } from './cgroup-path.ts';
import { deviceRulesOf, limitsOf } from './resources.ts';

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
