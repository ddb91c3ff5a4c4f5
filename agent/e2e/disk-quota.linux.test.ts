/** Disk limits by project quota: what it gives beyond the others, and that nobody inside gets out of it. */
import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { DiskLimits } from '../contract/limits.ts';
import { assertNear, diskBench, mib, touch } from './disk-bench.ts';

const { output, inside, corten, kind, ...bench } = diskBench();
const { begin, idle, fill, available, limit, nothingStays } = bench;
after(() => bench.discard());

const skip = kind() === 'loop' && 'no project quota under the state; scripts/test-guest has one';
describe('project quota', { skip }, () => {
  before(() => begin());
  beforeEach(() => bench.note());

  test('who was made without a limit is counted, and gets one at any time: bytes or inodes alone', async () => {
    await idle('late', '--storage-opt', 'size=0');
    await inside('late', 'dd if=/dev/zero of=/kept bs=1M count=8');
    const { body } = await corten('GET', 'containers/late/disk');
    assertNear(body.usedBytes, 8 * mib, mib, 'used');
    assert.equal(body.maxBytes, null);
    assert.equal((await limit('late', { maxBytes: 64 * mib })).status, 200);
    assertNear(await fill('late', '/full'), 56 * mib, 2 * mib, 'written');
    await inside('late', 'rm /full');
    assert.equal((await limit('late', { maxBytes: null, maxInodes: 300 })).status, 200);
    assert.match((await inside('late', touch(5000))).stderr, /No space left on device/);
    assert.ok((await available('late')) > 1024 * mib, 'no limit of bytes is left');
    await output('rm', '-f', 'late');
    await nothingStays();
  });

  test('who says nothing may take seven eighths of what is free, of bytes and of inodes', async () => {
    const { bavail, bsize, ffree } = statfsSync(bench.directory);
    await idle('silent');
    const { body } = await corten('GET', 'containers/silent/disk');
    assertNear(body.maxBytes ?? 0, (bavail * bsize * 7) / 8, 16 * mib, 'limit of bytes');
    assertNear(body.maxInodes ?? 0, (ffree * 7) / 8, ffree / 100, 'limit of inodes');
    assertNear(
      await available('silent'),
      (bavail * bsize * 7) / 8,
      16 * mib,
      'what df says inside',
    );
    await output('rm', '-f', 'silent');
    await nothingStays();
  });

  test('inodes are lowered, raised and taken away while the container runs', async () => {
    await idle('live', '--storage-opt', 'size=64m', '--storage-opt', 'inodes=400');
    assert.notEqual((await inside('live', touch(1000))).code, 0);
    await limit('live', { maxInodes: 1200 });
    assert.equal((await inside('live', touch(1000))).code, 0);
    await limit('live', { maxInodes: 100 });
    assert.notEqual((await inside('live', ': > /one')).code, 0, 'below what is used');
    assert.equal(
      (await inside('live', 'cat /d/0 && rm /d/999')).code,
      0,
      'but what is there stays',
    );
    await limit('live', { maxInodes: null });
    assert.equal((await inside('live', touch(2000))).code, 0);
    const { body } = await corten('GET', 'containers/live/disk');
    assert.equal(body.maxInodes, null);
    assert.ok(body.usedInodes > 2000, String(body.usedInodes));
    await output('rm', '-f', 'live');
    await nothingStays();
  });

  test('a volume that was made without a limit gets one, which changes and goes while it is used', async () => {
    await output('volume', 'create', 'late');
    await idle('user', '-v', 'late:/data');
    const limitVolume = async (disk: DiskLimits) => {
      const { status, body } = await corten('POST', 'volumes/late/limits', { disk });
      assert.equal(status, 200, JSON.stringify(body));
    };
    await limitVolume({ maxBytes: 16 * mib });
    assertNear(await fill('user', '/data/full'), 16 * mib, 2 * mib, 'written');
    await inside('user', 'rm /data/full');
    await limitVolume({ maxBytes: 8 * mib, maxInodes: 100 });
    assertNear(await fill('user', '/data/full'), 8 * mib, 2 * mib, 'written after lowering');
    await inside('user', 'rm /data/full');
    const many = touch(300, '/data/d');
    assert.match((await inside('user', many)).stderr, /No space left on device/);
    await limitVolume({ maxInodes: null });
    assert.equal((await inside('user', many)).code, 0);
    await limitVolume({ maxBytes: null });
    assert.ok((await available('user', '/data')) > 1024 * mib, 'no limit is left');
    const { body } = await corten('GET', 'volumes/late/disk');
    assert.deepEqual([body.maxBytes, body.maxInodes], [null, null]);
    await output('rm', '-f', 'user');
    await output('volume', 'rm', 'late');
    await nothingStays();
  });

  /** The machine's own chattr, in a container whose image has none. */
  const chattr = (change: string) =>
    `mkdir -p /way; for l in /machine/lib/*/ld-linux-*.so.?; do $l --library-path "\${l%/*}" /machine/bin/chattr ${change} /way; done`;

  test('root inside cannot leave its project', async () => {
    const machine = ['-v', '/usr:/machine:ro', '--storage-opt', 'size=32m'];
    await idle('prisoner', ...machine);
    await idle('unconfined', ...machine, '--security-opt', 'seccomp=unconfined');
    // -P takes away that files inherit the project, -p names another one.
    for (const change of ['-P', '-p 77']) {
      const { code, stderr } = await inside('prisoner', chattr(change));
      assert.notEqual(code, 0, change);
      assert.match(stderr, /not permitted/, change);
      const without = await inside('unconfined', chattr(change));
      assert.equal(without.code, 0, `it is the filter that refuses: ${without.stderr}`);
    }
    assertNear(await fill('prisoner', '/way/full'), 32 * mib, 2 * mib, 'written');
    await output('rm', '-f', 'prisoner', 'unconfined');
    await nothingStays();
  });
});
