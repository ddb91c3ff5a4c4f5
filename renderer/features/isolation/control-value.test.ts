import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readControl } from './control-value.ts';

test('no limit in every way that the kernel says it', () => {
  for (const [file, value] of [
    ['memory.limit_in_bytes', '9223372036854771712'],
    ['cpu.cfs_quota_us', '-1'],
    ['pids.max', 'max'],
    ['cpu.max', 'max 100000'],
  ] as const)
    assert.deepEqual(readControl(file, value), { none: true }, file);
});

test('bytes are read, other numbers say all by themselves', () => {
  assert.deepEqual(readControl('memory.limit_in_bytes', '67108864'), { text: '64 MiB' });
  assert.deepEqual(readControl('memory.swap.max', '0'), { text: '0 B' });
  assert.deepEqual(readControl('hugetlb.2MB.limit_in_bytes', '2097152'), { text: '2 MiB' });
  for (const [file, value] of [
    ['cpu.shares', '1024'],
    ['memory.swappiness', '60'],
    ['pids.max', '50'],
    ['cpu.idle', '-1'],
    ['blkio.throttle.read_bps_device', ''],
  ] as const)
    assert.equal(readControl(file, value), undefined, file);
});
