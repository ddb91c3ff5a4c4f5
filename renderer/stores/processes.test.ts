import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MachineProcesses, ProcessFigure } from '../../agent/contract/processes.ts';
import { userspaceOf } from './processes.ts';

function process(pid: number, cpuNanos: number, startTicks = 5): ProcessFigure {
  return {
    ...{ pid, parentPid: 1, name: 'sh', startTicks },
    cpuNanos,
    residentBytes: 100,
    threads: 1,
  };
}

function reading(second: number, change: Partial<MachineProcesses> = {}): MachineProcesses {
  return {
    readAt: new Date(second * 1000).toISOString(),
    cpus: 4,
    memoryBytes: 10_000,
    busyCpuNanos: second * 2e9,
    usedMemoryBytes: 3000,
    groups: [
      { processCount: 1, processes: [process(1, second * 1e8)] },
      {
        container: { id: 'a', name: 'web', limits: {} },
        ...{ cpuNanos: second * 5e8, memoryBytes: 1000, processCount: 1 },
        processes: [process(9, second * 5e8)],
      },
    ],
    ...change,
  };
}

test('the first reading has memory and no rates; the machine has what no container uses', () => {
  const { usedCpus, owners } = userspaceOf(reading(10), undefined);
  assert.equal(usedCpus, undefined);
  assert.deepEqual(
    owners.map(({ key, cpus, memoryBytes }) => [key, cpus, memoryBytes]),
    [
      ['machine', 0, 2000],
      ['a', 0, 1000],
    ],
  );
});

test('two readings make CPUs in use, of owners and of processes', () => {
  const { usedCpus, owners } = userspaceOf(reading(12), reading(10));
  assert.equal(usedCpus, 2);
  assert.deepEqual(
    owners.map(({ cpus }) => cpus),
    [1.5, 0.5],
  );
  assert.deepEqual(
    owners.flatMap(({ processes }) => processes.map(({ cpus }) => cpus)),
    [0.1, 0.5],
  );
});

test('a process under a number that was another’s begins at nothing', () => {
  const now = reading(12, { groups: [{ processCount: 1, processes: [process(1, 4e8, 77)] }] });
  assert.equal(userspaceOf(now, reading(10)).owners[0]?.processes[0]?.cpus, 0.2);
});

test('a container that was started anew has no rate below nothing', () => {
  const [machine, web] = reading(12).groups;
  const now = reading(12, { groups: [machine!, { ...web!, cpuNanos: 1 }] });
  assert.equal(userspaceOf(now, reading(10)).owners[1]?.cpus, 0);
});
