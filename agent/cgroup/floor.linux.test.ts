/** What all containers together leave to the machine, against programs that want it all. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../e2e/until.ts';
import type { Cgroup } from './cgroup.ts';
import { detectCgroupDriver } from './detect.ts';
import { keepFloor } from './floor.ts';
import { exitOf, runIn } from './testdata/group-process.ts';
import { testGroups } from './testdata/test-groups.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
/** As if the machine were that small: 64 MiB and 28 processes are left to containers. */
const { create, directory } = testGroups('floor', (parent) =>
  detectCgroupDriver({
    parent,
    boundAll: keepFloor({ memoryBytes: 32 * MiB }, { memoryBytes: 96 * MiB, processes: 32 }),
  }),
);

test('containers without a limit of their own end before the machine’s memory does', async () => {
  const neighbour = runIn(create(), 'exec sleep 60');
  // Its own limit is for a machine with swap, where the floor alone would fill that first.
  const greedy = create({ memory: { maxBytes: GiB, maxWithSwapBytes: GiB } });
  const { signal } = await exitOf(runIn(greedy, 'exec tail /dev/zero'));
  assert.equal(signal, 'SIGKILL');
  assert.ok(greedy.oomKills() >= 1);
  // What it tried to take counts too, a batch of pages at a time.
  const most = greedy.usage().memory.maxUsageBytes ?? 0;
  assert.ok(most < 72 * MiB, `${most} bytes`);
  assert.equal(neighbour.exitCode, null);
});

test('containers that fork without end leave numbers to the machine', async () => {
  const bomb = create();
  const { output } = await exitOf(
    runIn(bomb, 'for number in $(seq 40); do sleep 60 >/dev/null 2>&1 & done; echo never'),
  );
  assert.match(output, /fork/i);
  assert.doesNotMatch(output, /never/);
  assert.ok(bomb.usage().pids.current <= 28);
});

test('one container without a limit of its own leaves the others what they have read from the disk', async () => {
  const neighbour = create();
  const file = join(directory, 'read');
  const reader = runIn(neighbour, `head -c 4M /dev/zero >${file}; sync ${file}; exec sleep 60`);
  await until(
    () => readFileSync(`/proc/${reader.pid}/comm`, 'utf8') === 'sleep\n',
    'the file is written',
  );
  const before = cached(neighbour);
  assert.ok(before >= 4 * MiB, `${before} bytes`);
  const greedy = create();
  // Where there is swap it takes that, and ends by itself.
  await exitOf(runIn(greedy, 'head -c 60M /dev/zero | tail >/dev/null'));
  assert.ok(cached(neighbour) >= before - MiB, `${cached(neighbour)} of ${before} bytes`);
  const most = greedy.usage().memory.maxUsageBytes ?? 0;
  assert.ok(most <= 56 * MiB, `${most} bytes`);
  // What of it is still in memory counts for all, as long as there is the file.
  rmSync(file);
});

test('its share is its limit, until it has one of its own, and again after', () => {
  const group = create();
  assert.equal(group.usage().memory.limitBytes, 56 * MiB);
  group.update({ memory: { maxBytes: 60 * MiB } });
  assert.equal(group.usage().memory.limitBytes, 60 * MiB);
  group.update({ memory: { maxBytes: null } });
  assert.equal(group.usage().memory.limitBytes, 56 * MiB);
  assert.equal(create({ memory: { maxBytes: GiB } }).usage().memory.limitBytes, GiB);
});

function cached(group: Cgroup): number {
  const { stat } = group.usage().memory;
  return (stat.inactive_file ?? 0) + (stat.active_file ?? 0);
}
