/** Disk limits by qgroups of btrfs, where the state lies on one whose quotas are on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { lacksBtrfs } from '../disk/testdata/kernel-lacks.ts';
import { endWithContainers } from './agent-process.ts';
import { assertNear, diskBench, mib, quotaExceeded } from './disk-bench.ts';

const { directory, output, inside, corten, ...bench } = diskBench();
const { begin, idle, limit, nothingStays } = bench;
const root = join(directory, 'root');
const imageFile = join(dirname(directory), `btrfs-of-${basename(directory)}`);

const subvolumes = () => execFileSync('btrfs', ['subvolume', 'list', root], { encoding: 'utf8' });

/** Bytes that one file takes until it is refused. */
const fill = (name: string, path: string) => bench.fill(name, path, quotaExceeded);

describe('qgroups of btrfs', { skip: lacksBtrfs() }, () => {
  before(async () => {
    // Not below the agent's directory, where every loop device is taken for one of its own.
    mkdirSync(root, { recursive: true });
    writeFileSync(imageFile, '');
    truncateSync(imageFile, 1024 * mib);
    execFileSync('mkfs.btrfs', ['-q', imageFile]);
    execFileSync('mount', ['-o', 'loop', imageFile, root]);
    execFileSync('btrfs', ['quota', 'enable', root]);
    await begin();
  });
  after(async () => {
    await endWithContainers(bench.agent());
    execFileSync('umount', [root]);
    rmSync(imageFile);
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => bench.note());

  test('one fills its disk, its neighbour does not notice; the limit is told, changes, and goes', async () => {
    await idle('live', '--storage-opt', 'size=32m');
    await idle('neighbour', '--storage-opt', 'size=32m');
    assertNear(await fill('live', '/full'), 32 * mib, mib, 'written');
    assert.equal((await inside('neighbour', 'dd if=/dev/zero of=/m bs=1M count=16')).code, 0);
    const { body } = await corten('GET', 'containers/live/disk');
    assert.deepEqual([body.maxBytes, body.usedInodes, body.maxInodes], [32 * mib, null, null]);
    assertNear(body.usedBytes, 32 * mib, mib, 'used');
    assert.equal((await limit('live', { maxBytes: 48 * mib })).status, 200);
    assertNear(await fill('live', '/more'), 16 * mib, mib, 'written after raising');
    assert.equal((await inside('live', 'rm /full /more && sync')).code, 0, 'a full one is emptied');
    const refused = await limit('live', { maxInodes: 100 });
    assert.deepEqual([refused.status, /no inodes/.test(refused.body.message)], [400, true]);
    assert.equal((await limit('live', { maxBytes: null })).status, 200);
    assert.equal((await inside('live', 'dd if=/dev/zero of=/l bs=1M count=64')).code, 0);
    await output('rm', '-f', 'live', 'neighbour');
    await nothingStays();
    assert.equal(subvolumes(), '');
  });

  test('a full one is told of, though statfs says nothing of it', async () => {
    await idle('full', '--storage-opt', 'size=16m');
    await fill('full', '/full');
    for (let kinds: string[] = []; !kinds.includes('disk-full'); ) {
      await new Promise((done) => setTimeout(done, 200));
      const path = 'containers/full/history?seconds=60&step=1';
      const { body } = await corten('GET', path);
      assert.ok(Array.isArray(body.events), JSON.stringify(body));
      kinds = body.events.map(({ kind }: { kind: string }) => kind);
    }
    await output('rm', '-f', 'full');
  });

  test('who says nothing may take seven eighths of what is free', async () => {
    const { bavail, bsize } = statfsSync(root);
    await idle('silent');
    const { body } = await corten('GET', 'containers/silent/disk');
    assertNear(body.maxBytes ?? 0, (bavail * bsize * 7) / 8, 32 * mib, 'limit of bytes');
    await output('rm', '-f', 'silent');
    await nothingStays();
  });

  test('root inside a volume cannot make a subvolume, which would have no limit', async () => {
    await output('volume', 'create', '-o', 'size=16m', 'data');
    const machine = ['-v', '/usr:/machine:ro', '-v', 'data:/data'];
    await idle('prisoner', ...machine);
    await idle('unconfined', ...machine, '--security-opt', 'seccomp=unconfined');
    const make = (name: string) =>
      `for l in /machine/lib/*/ld-linux-*.so.?; do $l --library-path "\${l%/*}" /machine/bin/btrfs subvolume create /data/${name}; done`;
    assert.match((await inside('prisoner', make('out'))).stderr, /not permitted/);
    const without = await inside('unconfined', make('out'));
    assert.equal(without.code, 0, `it is the filter that refuses: ${without.stderr}`);
    assertNear(await fill('prisoner', '/data/full'), 16 * mib, mib, 'written');
    await output('rm', '-f', 'prisoner', 'unconfined');
    await output('volume', 'rm', 'data');
    await nothingStays();
    assert.equal(subvolumes(), '');
  });
});
