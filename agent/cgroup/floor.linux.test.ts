/** What all containers together leave to the machine, against programs that want it all. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import type { Limits } from '../contract/limits.ts';
import type { Cgroup } from './cgroup.ts';
import { detectCgroupDriver } from './detect.ts';
import { keepFloor } from './floor.ts';
import { exitOf, runIn } from './testdata/group-process.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
// The group bears the directory's name, by which scripts/test finds it if this is killed.
const directory = mkdtempSync(join(tmpdir(), 'corten-floor-'));
/** As if the machine were that small: 64 MiB and 28 processes are left to containers. */
const driver = detectCgroupDriver({
  parent: basename(directory),
  boundAll: keepFloor({ memoryBytes: 32 * MiB }, { memoryBytes: 96 * MiB, processes: 32 }),
});
const groups: Cgroup[] = [];

function create(name: string, limits: Limits = {}): Cgroup {
  const group = driver.create(name, limits, [{ allow: true, type: 'a', access: 'rwm' }]);
  groups.push(group);
  return group;
}

afterEach(async () => {
  for (const group of groups.splice(0)) {
    group.kill();
    await group.remove();
  }
});

after(() => {
  driver.removeParent();
  rmSync(directory, { recursive: true });
});

test('containers without a limit of their own end before the machine’s memory does', async () => {
  const neighbour = runIn(create('neighbour'), 'exec sleep 60');
  // Its own limit is for a machine with swap, where the floor alone would fill that first.
  const greedy = create('greedy', { memory: { maxBytes: GiB, maxWithSwapBytes: GiB } });
  const { signal } = await exitOf(runIn(greedy, 'exec tail /dev/zero'));
  assert.equal(signal, 'SIGKILL');
  assert.ok(greedy.oomKills() >= 1);
  // What it tried to take counts too, a batch of pages at a time.
  const most = greedy.usage().memory.maxUsageBytes ?? 0;
  assert.ok(most < 72 * MiB, `${most} bytes`);
  assert.equal(neighbour.exitCode, null);
});

test('containers that fork without end leave numbers to the machine', async () => {
  const bomb = create('bomb');
  const { output } = await exitOf(
    runIn(bomb, 'for number in $(seq 40); do sleep 60 >/dev/null 2>&1 & done; echo never'),
  );
  assert.match(output, /fork/i);
  assert.doesNotMatch(output, /never/);
  assert.ok(bomb.usage().pids.current <= 28);
});
