/**
 * What all containers together leave to the machine: the group that holds them is limited to what is
 * there less a floor, of memory and of processes (docs/decisions/0019). What goes beyond ends or fails in a
 * container, not in the machine's own programs. One container without a memory limit of its own gets less than all.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { hasErrno } from '../kernel/libc.ts';
import { hasControl, readBound, readCount, readKeyed, writeControl } from './control-file.ts';

/** Called with the directory of the group that holds all, one for each hierarchy on v1, once it is made. */
export type BoundAll = (directory: string) => void;

const GiB = 1024 ** 3;
const share = 1 / 8;
const mostMemoryBytes = 8 * GiB;
const mostProcesses = 4096;

export interface Floor {
  /** Left to the machine; 0: nothing. Absent: an eighth of its memory, at most 8 GiB. */
  memoryBytes?: number | undefined;
}

/** What the machine has; for tests. */
export interface MachineSize {
  memoryBytes: number;
  processes: number;
}

interface MemoryFiles {
  bound: string;
  usage: string;
}

export const memoryFilesV1 = { bound: 'memory.limit_in_bytes', usage: 'memory.usage_in_bytes' };
export const memoryFilesV2 = { bound: 'memory.max', usage: 'memory.current' };

export function keepFloor(floor: Floor, size: MachineSize = machineSize()): BoundAll {
  return (directory) => {
    limit(directory, memoryFilesV2.bound, memoryFilesV2.usage, () =>
      memoryLimit(above(directory, memoryFilesV2.bound, size.memoryBytes), floor),
    );
    limit(directory, memoryFilesV1.bound, memoryFilesV1.usage, () =>
      memoryLimit(memoryAboveV1(directory, size.memoryBytes), floor),
    );
    limit(directory, 'pids.max', 'pids.current', () => {
      const processes = above(directory, 'pids.max', size.processes);
      return processes - Math.min(Math.ceil(processes * share), mostProcesses);
    });
  };
}

/**
 * Limits the memory of a container that has no limit of its own to seven eighths of what all containers may have.
 * At the limit of all, the kernel reclaims the page cache of every container before it kills; at its own limit, a
 * container's growth reclaims only what is its own.
 */
export function applyDefaultMemoryLimit(directory: string, { bound, usage }: MemoryFiles): void {
  limit(directory, bound, usage, () => {
    const all = readBound(dirname(directory), bound);
    return all === undefined ? undefined : Math.floor(all * (1 - share));
  });
}

function memoryLimit(memoryBytes: number, floor: Floor): number | undefined {
  const left = floor.memoryBytes ?? Math.min(memoryBytes * share, mostMemoryBytes);
  if (left === 0) return undefined;
  // Whoever leaves more than there is still runs containers.
  return Math.max(Math.floor(memoryBytes - left), Math.floor(memoryBytes * share));
}

/**
 * Only downwards to what is not used: a limit below what is there now would end processes (v2), and one
 * that earlier containers run under is not theirs to lose by an agent's restart.
 */
function limit(
  directory: string,
  file: string,
  usage: string,
  bound: () => number | undefined,
): void {
  if (!hasControl(directory, file)) return;
  const value = bound();
  if (value !== undefined && readCount(directory, usage) > value) return;
  try {
    writeControl(directory, file, value ?? (file === memoryFilesV1.bound ? -1 : 'max'));
  } catch (error) {
    // v1, as above: it grew meanwhile and cannot be taken back.
    if (!hasErrno(error, 'EBUSY')) throw error;
  }
}

/** The least of the machine's and of every group above. The root has no such file. */
function above(directory: string, file: string, machine: number): number {
  let least = machine;
  for (let group = dirname(directory); hasControl(group, file); group = dirname(group))
    least = Math.min(least, readBound(group, file) ?? machine);
  return least;
}

/** v1 tells it of all groups above in one figure (memory.rst, 5.2). */
function memoryAboveV1(directory: string, machine: number): number {
  const { hierarchical_memory_limit: least } = readKeyed(dirname(directory), 'memory.stat');
  return Math.min(least ?? machine, machine);
}

/** proc_sys_kernel(5): a process takes a number and a thread. */
function machineSize(): MachineSize {
  const number = (name: string) => Number(readFileSync(`/proc/sys/kernel/${name}`, 'utf8'));
  return {
    memoryBytes: totalmem(),
    processes: Math.min(number('pid_max'), number('threads-max')),
  };
}
