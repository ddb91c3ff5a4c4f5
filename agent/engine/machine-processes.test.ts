import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessStat } from '../kernel/process-stat.ts';
import { machineUse } from './machine-processes.ts';
import type { FakeCgroup } from './testdata/fake-cgroups.ts';
import { create, workbench } from './testdata/workbench.ts';

function stat(name: string, change: Partial<ProcessStat> = {}): ProcessStat {
  return {
    ...{ name, state: 'S', parentPid: 1, terminal: 0, cpuTicks: 150 },
    ...{ threads: 1, startTicks: 7n, residentPages: 2 },
    ...change,
  };
}

test('processes belong to their container, shims to the machine but serve one', async (t) => {
  let processes = new Map<number, ProcessStat>();
  const bench = await workbench(t, {
    kernelViews: {
      isolation: () => assert.fail('not asked for'),
      processes: async () => processes,
      close: () => {},
    },
  });
  const id = await create(bench, { limits: { pids: 5 } }, 'web');
  await create(bench, {}, 'stopped');
  await bench.engine.containers.start(id);
  const { pid, shimPid, exit } = bench.runtime.last;
  t.after(() => exit.call(bench.runtime.last, 0));
  const cgroup = bench.cgroups.groups.get(id)!;
  putUse(cgroup, [pid, 5000]);
  processes = new Map([
    [1, stat('init', { parentPid: 0 })],
    [shimPid, stat('corten-shim')],
    [pid, stat('sh', { residentPages: 3 })],
    [5000, stat('a) (b\n', { parentPid: pid, residentPages: 9 })],
  ]);
  const [machine, web, ...more] = (await bench.engine.system.processes()).groups;
  assert.deepEqual(more, []);
  assert.deepEqual(
    machine?.processes.map(({ name, servesContainer }) => [name, servesContainer]),
    [
      ['init', undefined],
      ['corten-shim', id],
    ],
  );
  assert.equal(machine?.container, undefined);
  assert.deepEqual(web?.container, { id, name: 'web', limits: { pids: 5 } });
  // The largest first; times and sizes in units of their own.
  assert.deepEqual(web?.processes[0], {
    ...{ pid: 5000, parentPid: pid, name: 'a) (b\n', startTicks: 7, threads: 1 },
    ...{ cpuNanos: 1.5e9, residentBytes: 9 * 4096 },
  });
  assert.deepEqual([web?.processCount, web?.cpuNanos, web?.memoryBytes], [2, 77, 3000]);
});

test('a container with thousands of processes is counted whole and listed in part', async (t) => {
  const pids = Array.from({ length: 5000 }, (_, index) => 10_000 + index);
  const processes = new Map(pids.map((pid) => [pid, stat('fork', { residentPages: pid })]));
  const bench = await workbench(t, {
    kernelViews: {
      isolation: () => assert.fail('not asked for'),
      processes: async () => new Map([[1, stat('init')], ...processes]),
      close: () => {},
    },
  });
  const id = await create(bench);
  await bench.engine.containers.start(id);
  t.after(() => bench.runtime.last.exit(0));
  putUse(bench.cgroups.groups.get(id)!, pids);
  const [machine, web] = (await bench.engine.system.processes()).groups;
  assert.deepEqual([machine?.processCount, machine?.processes.length], [1, 1]);
  assert.deepEqual([web?.processCount, web?.processes.length], [5000, 400]);
  assert.equal(web?.processes[0]?.pid, 14_999);
});

test('what the machine uses: idle and waiting time is none, nor is cache that can go', () => {
  const meminfo = 'MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n';
  assert.deepEqual(machineUse('cpu  1 2 3 400 500 6 7 8 0 0\ncpu0 …', meminfo), {
    busyCpuNanos: (1 + 2 + 3 + 6 + 7) * 1e7,
    usedMemoryBytes: 600 * 1024,
  });
});

function putUse(cgroup: FakeCgroup, pids: readonly number[]): void {
  cgroup.processes = () => [...pids];
  const cpu = { totalNanos: 77, userNanos: 0, systemNanos: 0 };
  cgroup.usage = () => ({
    cpu: { ...cpu, periods: 0, throttledPeriods: 0, throttledNanos: 0 },
    memory: {
      ...{ usageBytes: 5000, inactiveFileBytes: 2000, swapBytes: 0, failures: 0, oomKills: 0 },
      ...{ maxUsageBytes: undefined, limitBytes: undefined, stat: {} },
    },
    pids: { current: 2, limit: undefined, refusals: 0 },
    io: [],
    stall: undefined,
  });
}
