/** The processes of a group and of the groups that they made below it. */
import { readdirSync } from 'node:fs';
import { hasErrno } from '../kernel/libc.ts';
import { readControl } from './control-file.ts';

/** The directory and all below it, the deepest first. Empty when it is gone. */
export function subtree(directory: string): string[] {
  const below = childrenOf(directory).flatMap((child) => subtree(`${directory}/${child}`));
  return [...below, directory];
}

export function childrenOf(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
}

/** Pids as this process's own pid namespace numbers them. */
export function processesBelow(directory: string): number[] {
  return subtree(directory).flatMap(processesIn);
}

export function processesIn(group: string): number[] {
  try {
    return readControl(group, 'cgroup.procs').split('\n').filter(Boolean).map(Number);
  } catch (error) {
    // Gone since it was listed; EOPNOTSUPP: a threaded group, whose parent lists its processes.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP')) return [];
    throw error;
  }
}

/** 0 is a process of another pid namespace, which kill(2) would take as "my own group". */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids.filter((pid) => pid > 0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // The process has ended by itself.
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }
}
