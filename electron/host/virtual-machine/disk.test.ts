import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkFreeSpace, dataDiskAt, diskFigures, prepareDataDisk } from './disk.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-disk-'));
after(() => rmSync(directory, { recursive: true }));
const gibibyte = 1024 ** 3;

test('no disk space: how much there is and how much is needed', () => {
  assert.throws(() => checkFreeSpace(directory, Number.MAX_SAFE_INTEGER), {
    name: 'StageFailure',
    message: /has .* of free disk space left for .*, and the machine needs 8388608\.0 GiB/,
    nextStep: /^Free some space/,
  });
  checkFreeSpace(directory, 1);
});

test('a new disk is as large as it should be and takes nothing; it grows and never shrinks', async () => {
  const disk = dataDiskAt(join(directory, 'data.raw'));
  assert.equal(disk.format, 'raw');
  await prepareDataDisk(disk, 8 * gibibyte, '/usr/bin/qemu');
  assert.deepEqual(diskFigures(disk.path), { sizeBytes: 8 * gibibyte, allocatedBytes: 0 });
  assert.equal(statSync(disk.path).mode & 0o777, 0o600);
  await prepareDataDisk(disk, 16 * gibibyte, '/usr/bin/qemu');
  await prepareDataDisk(disk, 4 * gibibyte, '/usr/bin/qemu');
  assert.equal(diskFigures(disk.path).sizeBytes, 16 * gibibyte);
});

test('a disk that cannot be made: why, and what to do', async () => {
  writeFileSync(join(directory, 'file'), '');
  const disk = dataDiskAt(join(directory, 'file', 'data.raw'));
  await assert.rejects(prepareDataDisk(disk, gibibyte, '/usr/bin/qemu'), {
    name: 'StageFailure',
    message: /data\.raw cannot be prepared: .*ENOTDIR/,
  });
});

test('qcow2 takes QEMU’s own tool; without it the way to get it is named', async () => {
  const disk = dataDiskAt(join(directory, 'data.qcow2'));
  await assert.rejects(prepareDataDisk(disk, gibibyte, join(directory, 'qemu-system-x86_64')), {
    name: 'StageFailure',
    nextStep: /qemu-img/,
  });
});
