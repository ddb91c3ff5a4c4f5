/** Re-adopts a process that an earlier agent started. */
import { closeSync, fstatSync } from 'node:fs';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { openProcess, signalProcess, takeDescriptor } from '../kernel/process.ts';
import { AliveWatch } from './alive-watch.ts';
import { ShimFd } from './plan.ts';
import { isSameProcess, openAlive, type Pids, readExit, readPids } from './run-directory.ts';
import { ShimProcess } from './running-process.ts';
import type { ExitRecord, ProcessStdio } from './runtime.ts';

const SIGKILL = 9;

export function readopt(runDirectory: string): ShimProcess | ExitRecord | undefined {
  const pids = readPids(runDirectory);
  if (pids === undefined) return readExit(runDirectory);
  // The FIFO is opened first, because it reports only writers that leave after that.
  const aliveFd = openAlive(runDirectory);
  const supervised = isSameProcess(pids.shimPid, pids.shimStartTime);
  const exit = readExit(runDirectory);
  if (supervised && exit === undefined) return reconnect(runDirectory, pids, aliveFd);
  closeSync(aliveFd);
  return exit ?? endOrphan(pids);
}

function reconnect(runDirectory: string, pids: Pids, aliveFd: number): ShimProcess {
  const { shimPid, childPid, startedAt } = pids;
  const stdio = takeStdio(shimPid);
  const alive = new AliveWatch(aliveFd);
  return new ShimProcess({ runDirectory, shimPid, childPid, startedAt, stdio, alive });
}

/** The shim was killed, so nobody can collect the child's exit status and the child is ended. */
function endOrphan({ childPid, childStartTime }: Pids): ExitRecord {
  try {
    withFd(openProcess(childPid), (pidfd) => {
      // The pid is checked after the pidfd was opened, since from then on it cannot mean another
      // process.
      if (isSameProcess(childPid, childStartTime)) signalProcess(pidfd, SIGKILL);
    });
  } catch (error) {
    // The process is gone already, which is the goal.
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
  return { exitCode: 255, signal: undefined, finishedAt: new Date() };
}

/** Copies the agent's ends of stdio from the shim, which keeps them for this. */
function takeStdio(shimPid: number): ProcessStdio {
  try {
    const fd = withFd(openProcess(shimPid), (pidfd) => takeDescriptor(pidfd, ShimFd.input));
    return fstatSync(fd).isFIFO() ? { stdinFd: fd } : { terminalFd: fd };
  } catch (error) {
    // EBADF: the shim holds none. ESRCH: the shim has just ended, which `alive` reports.
    if (hasErrno(error, 'EBADF', 'ESRCH')) return {};
    throw error;
  }
}
