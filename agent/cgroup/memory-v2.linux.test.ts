/** What only v2 has of memory, against processes: the high mark, killing together, and a reservation that counts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { until } from '../e2e/until.ts';
import type { Cgroup } from './cgroup.ts';
import { readKeyed } from './control-file.ts';
import { detectCgroupDriver } from './detect.ts';
import { exitOf, runIn } from './testdata/group-process.ts';
import { testGroups } from './testdata/test-groups.ts';

const MiB = 1024 * 1024;
const { driver, create } = testGroups('memory', (parent) => detectCgroupDriver({ parent }));
const shm = mkdtempSync('/dev/shm/corten-memory-');
after(() => rmSync(shm, { recursive: true }));

const pathOf = (group: Cgroup) => group.paths.get('') ?? '';
const hasSwap = readFileSync('/proc/swaps', 'utf8').trim().split('\n').length > 1;

/** A file of a tmpfs, which the group has paid for: it can go to swap, and nowhere else. */
async function hold(group: Cgroup, name: string, bytes: number): Promise<void> {
  const line = `head -c ${bytes} /dev/zero > ${join(shm, name)}`;
  assert.equal((await exitOf(runIn(group, line))).code, 0);
}

const skip = driver.version === 1 && 'this machine’s groups are of version 1';
describe('memory on v2', { skip }, () => {
  test('above the high mark memory is taken back and nobody killed; without it the group grows', {
    skip: !hasSwap && 'nothing can be taken back without swap',
  }, async () => {
    const group = create({ memory: { highBytes: 16 * MiB } });
    await hold(group, 'held', 40 * MiB);
    assert.equal(group.oomKills(), 0);
    assert.ok((readKeyed(pathOf(group), 'memory.events').high ?? 0) > 0);
    const { usageBytes, swapBytes } = group.usage().memory;
    assert.ok(usageBytes < 24 * MiB && swapBytes > 16 * MiB, `${usageBytes}, ${swapBytes} in swap`);
    group.update({ memory: { highBytes: null } });
    await hold(group, 'more', 40 * MiB);
    assert.ok(group.usage().memory.usageBytes > 40 * MiB);
    rmSync(join(shm, 'held'));
    rmSync(join(shm, 'more'));
  });

  test('who is killed together changes while it runs, and each process counts once', async () => {
    const maximum = { maxBytes: 32 * MiB, maxWithSwapBytes: 32 * MiB };
    const group = create({ memory: { ...maximum, oomGroup: false } });
    const bystander = runIn(group, 'exec sleep 1000');
    const gone = once(bystander, 'exit');
    assert.equal((await exitOf(runIn(group, 'exec tail /dev/zero'))).signal, 'SIGKILL');
    assert.equal(group.oomKills(), 1);
    assert.deepEqual(group.processes(), [bystander.pid]);
    group.update({ memory: { oomGroup: true } });
    assert.equal((await exitOf(runIn(group, 'exec tail /dev/zero'))).signal, 'SIGKILL');
    assert.deepEqual((await gone)[1], 'SIGKILL');
    assert.equal(group.oomKills(), 3);
    group.update({ memory: { oomGroup: null } });
    assert.equal(readFileSync(`${pathOf(group)}/memory.oom.group`, 'utf8'), '1\n');
  });

  test('a reservation is left alone while a neighbour has something to give', {
    skip: !hasSwap && 'nothing can be taken back without swap',
  }, async () => {
    const reserved = create({ memory: { reservationBytes: 32 * MiB } });
    const neighbour = create({});
    await hold(reserved, 'reserved', 24 * MiB);
    await hold(neighbour, 'neighbour', 48 * MiB);
    // What both together may have: the kernel takes the rest back from those below.
    const parent = join(pathOf(reserved), '..');
    writeFileSync(`${parent}/memory.high`, String(48 * MiB));
    await until(() => neighbour.usage().memory.swapBytes > 16 * MiB, 'the neighbour gave');
    assert.ok(reserved.usage().memory.swapBytes < MiB, `${reserved.usage().memory.swapBytes}`);
    writeFileSync(`${parent}/memory.high`, 'max');
    // Taken away while it runs, it counts no more.
    reserved.update({ memory: { reservationBytes: null } });
    assert.equal(readFileSync(`${parent}/memory.low`, 'utf8'), '0\n');
    rmSync(join(shm, 'reserved'));
    rmSync(join(shm, 'neighbour'));
  });
});
