/** The records of quotactl(2), byte by byte; the build machines' kernels have no project quota. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ext4Quota, inProject, xfsQuota } from './project-quota.ts';

const limits = { maxBytes: 10 * 1024 ** 3, maxInodes: 1000 };

test('XFS: struct fs_disk_quota, blocks of 512 bytes', () => {
  const record = xfsQuota.encode(70_000, limits);
  assert.equal(record.length, 112);
  assert.equal(record.readInt8(0), 1, 'd_version');
  assert.equal(record.readInt8(1), 2, 'd_flags: project');
  assert.equal(record.readUInt16LE(2), 0x0f, 'd_fieldmask: all four limits');
  assert.equal(record.readUInt32LE(4), 70_000, 'd_id');
  assert.equal(record.readBigUInt64LE(8), 20_971_520n, 'd_blk_hardlimit');
  assert.equal(record.readBigUInt64LE(16), 20_971_520n, 'd_blk_softlimit');
  assert.equal(record.readBigUInt64LE(24), 1000n, 'd_ino_hardlimit');
  assert.equal(record.readBigUInt64LE(32), 1000n, 'd_ino_softlimit');
  record.writeBigUInt64LE(8n, 40);
  record.writeBigUInt64LE(3n, 48);
  assert.deepEqual(xfsQuota.decode(record), { ...limits, usedBytes: 4096, usedInodes: 3 });
  assert.deepEqual([xfsQuota.setCommand, xfsQuota.getCommand], [0x580402, 0x580302]);
});

test('ext4: struct if_dqblk, limits in blocks of 1024 bytes, use in bytes', () => {
  const record = ext4Quota.encode(7, limits);
  assert.equal(record.length, 72);
  assert.equal(record.readBigUInt64LE(0), 10_485_760n, 'dqb_bhardlimit');
  assert.equal(record.readBigUInt64LE(8), 10_485_760n, 'dqb_bsoftlimit');
  assert.equal(record.readBigUInt64LE(24), 1000n, 'dqb_ihardlimit');
  assert.equal(record.readBigUInt64LE(32), 1000n, 'dqb_isoftlimit');
  assert.equal(record.readUInt32LE(64), 5, 'dqb_valid: blocks and inodes');
  record.writeBigUInt64LE(4097n, 16);
  record.writeBigUInt64LE(9n, 40);
  assert.deepEqual(ext4Quota.decode(record), { ...limits, usedBytes: 4097, usedInodes: 9 });
  assert.deepEqual([ext4Quota.setCommand, ext4Quota.getCommand], [0x80000802, 0x80000702]);
});

test('no limit is zero', () => {
  for (const dialect of [xfsQuota, ext4Quota]) {
    const record = dialect.encode(1, { maxBytes: 0, maxInodes: 0 });
    const { maxBytes, maxInodes } = dialect.decode(record);
    assert.deepEqual([maxBytes, maxInodes], [0, 0]);
  }
});

test('joining a project keeps the other attributes', () => {
  const attributes = Buffer.alloc(28);
  attributes.writeUInt32LE(0x80000010, 0);
  attributes.writeUInt32LE(42, 4);
  const joined = inProject(attributes, 70_000);
  assert.equal(joined.readUInt32LE(0), 0x80000210, 'fsx_xflags with PROJINHERIT');
  assert.equal(joined.readUInt32LE(4), 42, 'fsx_extsize');
  assert.equal(joined.readUInt32LE(12), 70_000, 'fsx_projid');
});
