/** Runs one more process inside a running container. */
import { closeSync, constants } from 'node:fs';
import { conflict } from '../errors.ts';
import { O_PATH, openInRoot, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { NamespaceFlag } from '../kernel/namespaces.ts';
import { openProcess, signalProcess } from '../kernel/process.ts';
import { openRootOf } from '../kernel/procfs.ts';
import { openTerminal, resizeTerminal, type Terminal } from '../kernel/pty.ts';
import { foreignIdMap, type IdMap } from '../kernel/user-namespaces.ts';
import { entrySteps } from './container-steps.ts';
import type { ShimConfig, Step } from './plan.ts';
import { type BeforeExec, processSteps, userEntrySteps } from './process-steps.ts';
import type { ShimProcess } from './running-process.ts';
import type { ExecRequest, ProcessHandle } from './runtime.ts';
import { affinitySteps } from './scheduling.ts';
import { labelSteps } from './security-labels.ts';
import type { ShimDescriptors, ShimStarter } from './shim.ts';
import { startProcess } from './start-process.ts';
import { execPipes, execTerminal, type StdioPlan } from './stdio.ts';

const { mount, uts, ipc, network, cgroup, time } = NamespaceFlag;

export async function exec(
  starter: ShimStarter,
  procFd: number,
  container: ProcessHandle,
  request: ExecRequest,
): Promise<ShimProcess> {
  const pidfd = openContainer(container);
  try {
    return await execIn(starter, procFd, container.pid, pidfd, request);
  } finally {
    closeSync(pidfd);
  }
}

/** Opens a pidfd of the container's init. Throws conflict when it has ended. */
export function openContainer(container: ProcessHandle): number {
  const pidfd = openInit(container.pid);
  try {
    container.signal(0);
    return pidfd;
  } catch (error) {
    closeSync(pidfd);
    throw error;
  }
}

function openInit(pid: number): number {
  try {
    return openProcess(pid);
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) throw conflict('the container is not running', error);
    throw error;
  }
}

function execIn(
  starter: ShimStarter,
  procFd: number,
  pid: number,
  pidfd: number,
  request: ExecRequest,
): Promise<ShimProcess> {
  const { runDirectory } = request;
  const descriptors = starter.descriptors();
  const containerFd = descriptors.add(pidfd);
  const ids = idsOf(pid, pidfd);
  const stdio = makeStdio(procFd, pid, pidfd, request, descriptors);
  try {
    const shimConfig = execShimConfig(request, containerFd, descriptors);
    const steps = execSteps(request, { fd: containerFd, ids }, stdio, descriptors);
    return startProcess(starter, { runDirectory, descriptors, shimConfig, steps, stdio });
  } catch (error) {
    stdio.closeShimEnds();
    stdio.closeAgentEnds();
    throw error;
  }
}

/**
 * The plan of a process that enters the container (a pidfd of its init, and its id map) with no
 * more rights than the container has. `rootFd` is the container's root where that is not the root
 * of its mount namespace. `inTime` tells that it has a time namespace. `keep` holds the shim's
 * numbers of the descriptors in {@link BeforeExec}.
 */
export function execSteps(
  { process, placement, seccomp }: Pick<ExecRequest, 'process' | 'placement' | 'seccomp'>,
  container: { fd: number; ids: IdMap | undefined; rootFd?: number | undefined; inTime?: boolean },
  stdio: StdioPlan,
  descriptors: ShimDescriptors,
  before?: BeforeExec & { keep: readonly number[] },
): Step[] {
  const { fd, ids, rootFd, inTime } = container;
  return [
    ...affinitySteps(process.execCPUAffinity?.initial),
    ...entrySteps(process.oomScoreAdj, placement, descriptors),
    ...affinitySteps(process.execCPUAffinity?.final),
    enterContainer(fd, inTime),
    ...(rootFd === undefined ? [] : [{ do: 'enterRoot', fd: rootFd } as const]),
    { do: 'stdio', fds: stdio.child },
    ...(ids === undefined ? [] : userEntrySteps(process, ids, { fd, cloneFlags: 0 })),
    ...labelSteps(process),
    { do: 'session', terminal: process.terminal === true },
    { do: 'close', keep: before?.keep ?? [] },
    ...processSteps(process, seccomp, false, ids, before),
  ];
}

/** The id map of the container. Undefined when it has no user namespace. */
export function idsOf(pid: number, pidfd: number): IdMap | undefined {
  try {
    const ids = foreignIdMap(pid);
    // The process still runs, so what was read by its pid is its own.
    signalProcess(pidfd, 0);
    return ids;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ESRCH')) throw conflict('the container is not running', error);
    throw error;
  }
}

export function execShimConfig(
  { process, placement: { directoryFd } }: Pick<ExecRequest, 'process' | 'placement'>,
  containerFd: number,
  descriptors: ShimDescriptors,
): ShimConfig {
  return {
    cloneFlags: 0,
    cgroupFd: directoryFd === undefined ? undefined : descriptors.add(directoryFd),
    pidNamespaceFd: containerFd,
    input: false,
    output: false,
    terminal: process.terminal === true,
    moves: false,
    log: undefined,
  };
}

/**
 * Enters all namespaces of the pidfd `fd` except the pid namespace, which the shim enters. The time
 * namespace is entered only if the container has one, because some kernels know none.
 */
export function enterContainer(fd: number, inTime = false): Step {
  return { do: 'setns', fd, flag: mount | uts | ipc | network | cgroup | (inTime ? time : 0) };
}

function makeStdio(
  procFd: number,
  pid: number,
  pidfd: number,
  { process, openStdin }: ExecRequest,
  descriptors: ShimDescriptors,
): StdioPlan {
  if (!process.terminal) return execPipes(openStdin, descriptors);
  const terminal = openContainerTerminal(procFd, pid, pidfd);
  const size = process.consoleSize;
  if (size !== undefined) resizeTerminal(terminal.masterFd, size.height, size.width);
  return execTerminal(terminal, descriptors);
}

/** Opens a terminal of the container's own devpts, so that its name means the same inside. */
export function openContainerTerminal(procFd: number, pid: number, pidfd: number): Terminal {
  return withFd(openRootOf(procFd, pid), (rootFd) =>
    withFd(openInRoot(rootFd, 'dev/pts', O_PATH | constants.O_DIRECTORY), (devptsFd) => {
      const terminal = openTerminal(devptsFd);
      try {
        // The process still runs, so the root opened by its pid is its own.
        signalProcess(pidfd, 0);
        return terminal;
      } catch (error) {
        closeSync(terminal.masterFd);
        closeSync(terminal.slaveFd);
        throw conflict('the container is not running', error);
      }
    }),
  );
}
