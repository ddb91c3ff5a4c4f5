/** The limit of open files (RLIMIT_NOFILE, getrlimit(2)) of running processes. */
import { readdirSync } from 'node:fs';
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { ContainerSettings } from '../../contract/container.ts';
import { conflict } from '../../errors.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { type FileLimit, openFilesLimit, setOpenFilesLimit } from '../../kernel/process.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';

/**
 * Sets the limit on every process of the container; their children inherit it. The container is
 * frozen meanwhile, so that no process forks with the old limit and no pid is reused. Open files
 * stay open; only new ones are refused (EMFILE). Throws conflict when the kernel allows no such
 * limit.
 */
export function limitOpenFiles(
  { process, cgroup }: { process: Pick<RunningProcess, 'shimPid'>; cgroup: Cgroup },
  limit: FileLimit | undefined,
): void {
  // Without a limit the container gets the limit of its shim, which inherited the engine's.
  const wanted = limit ?? openFilesLimit(process.shimPid);
  cgroup.whileFrozen(() => {
    for (const pid of cgroup.processes()) {
      try {
        setOpenFilesLimit(pid, wanted);
      } catch (error) {
        // An agent without CAP_SYS_RESOURCE cannot raise a hard limit.
        if (hasErrno(error, 'EPERM'))
          throw conflict(
            `Open files cannot become ${wanted.hard} while the container runs: the engine lacks CAP_SYS_RESOURCE, or the machine's fs.nr_open is lower. Stop the container, change the limit, and start it again.`,
            error,
          );
        // On v2 even a frozen process can be killed.
        if (!hasErrno(error, 'ESRCH')) throw error;
      }
    }
  });
}

/** The limit that the container's processes start with. Undefined means the engine's own. */
export function fileLimitOf({
  limits: { openFiles },
  ulimits,
}: Pick<ContainerSettings, 'limits' | 'ulimits'>): FileLimit | undefined {
  if (typeof openFiles === 'number') return { soft: openFiles, hard: openFiles };
  const asked = ulimits.find(({ name }) => name.toLowerCase() === 'nofile');
  return asked && { soft: asked.soft, hard: asked.hard };
}

/** The largest number of files that one process has open; 0 when none can be read. */
export function mostOpenFiles(cgroup: Cgroup): number {
  return Math.max(0, ...cgroup.processes().map(openFilesOf));
}

function openFilesOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch (error) {
    // The process ended after it was listed.
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return 0;
    throw error;
  }
}
