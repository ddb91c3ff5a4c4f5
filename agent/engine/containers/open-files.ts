/** The limit of open files (RLIMIT_NOFILE, getrlimit(2)), of processes that run already. */
import { readdirSync } from 'node:fs';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { ContainerSettings } from '../../contract/container.ts';
import { conflict } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type FileLimit, openFilesLimit, setOpenFilesLimit } from '../../kernel/process.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';

/**
 * Sets it on every process inside; whoever they start inherits it. They are frozen meanwhile, so that
 * none forks away with the old limit, and no number is given to a process of somebody else. Files
 * that are open stay open, also those beyond a lower limit: only new ones are refused (EMFILE).
 */
export function limitOpenFiles(
  { process, cgroup }: { process: Pick<RunningProcess, 'shimPid'>; cgroup: Cgroup },
  limit: FileLimit | undefined,
): void {
  // The shim has what the container would have inherited, had nobody limited it.
  const wanted = limit ?? openFilesLimit(process.shimPid);
  cgroup.whileFrozen(() => {
    for (const pid of cgroup.processes()) {
      try {
        setOpenFilesLimit(pid, wanted);
      } catch (error) {
        // Somebody who is root only in part: what runs keeps what it may have.
        if (hasErrno(error, 'EPERM'))
          throw conflict(
            `Open files cannot become ${wanted.hard} while the container runs: the engine lacks CAP_SYS_RESOURCE, or the machine's fs.nr_open is lower. Stop the container, change the limit, and start it again.`,
            error,
          );
        // On v2 a frozen process can still be killed.
        if (!hasErrno(error, 'ESRCH')) throw error;
      }
    }
  });
}

/** What the container's processes start with; undefined: what the engine itself has. */
export function fileLimitOf({
  limits: { openFiles },
  ulimits,
}: Pick<ContainerSettings, 'limits' | 'ulimits'>): FileLimit | undefined {
  if (typeof openFiles === 'number') return { soft: openFiles, hard: openFiles };
  const asked = ulimits.find(({ name }) => name.toLowerCase() === 'nofile');
  return asked && { soft: asked.soft, hard: asked.hard };
}

/** The most that one process inside has open now; 0 when none can be seen. */
export function mostOpenFiles(cgroup: Cgroup): number {
  return Math.max(0, ...cgroup.processes().map(openFilesOf));
}

function openFilesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch (error) {
    // It ended while we looked.
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return 0;
    throw error;
  }
}
