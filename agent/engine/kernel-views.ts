/** Reads processes through a procfs that nobody can mount over (kernel/procfs.ts). */
import { closeSync, readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno } from '../kernel/libc.ts';
import { type ProcessStat, parseStat } from '../kernel/process-stat.ts';
import { openProcfs, readProcfs } from '../kernel/procfs.ts';
import { type KernelViewSubject, readKernelView } from './isolation/kernel-view.ts';
import type { IsolationView } from './isolation/view.ts';

export interface KernelViews {
  /** See {@link readKernelView}. */
  isolation(
    container: KernelViewSubject,
    others: readonly KernelViewSubject[],
    paths: readonly string[],
  ): IsolationView;
  /** Reads all processes of the machine once, and yields to other work in between. */
  processes(): Promise<ReadonlyMap<number, ProcessStat>>;
  close(): void;
}

/** A machine can have four million processes; with more than this none is listed. */
const mostProcesses = 20_000;
/** Reading this many takes about three milliseconds. */
const readAtOnce = 64;

export function createKernelViews(): KernelViews {
  const procFd = openProcfs();
  return {
    isolation: (container, others, paths) => readKernelView(procFd, container, others, paths),
    processes: () => readProcesses(procFd),
    close: () => closeSync(procFd),
  };
}

async function readProcesses(procFd: number): Promise<Map<number, ProcessStat>> {
  const found = new Map<number, ProcessStat>();
  const pids = readdirSync(`/proc/self/fd/${procFd}`)
    .filter((name) => /^\d+$/.test(name))
    .slice(0, mostProcesses);
  for (const [index, pid] of pids.entries()) {
    if (index > 0 && index % readAtOnce === 0) await nextTurn();
    const stat = readStat(procFd, pid);
    if (stat !== undefined) found.set(Number(pid), stat);
  }
  return found;
}

/** Reads only `stat`, which needs nothing of the process's memory, so that nothing can block it. */
function readStat(procFd: number, pid: string): ProcessStat | undefined {
  try {
    return parseStat(readProcfs(procFd, `${pid}/stat`).text);
  } catch (error) {
    // The process ended after it was listed.
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
