/**
 * Containers and exec'd processes that no shim stays with: the OCI command's (agent/oci). The shim
 * starts them and leaves, so that they become children of whoever called the command and wants to
 * be their reaper. Their stdio is the caller's own. Everything else is as the engine has it.
 *
 * Runs on the main thread of a process that makes one container and ends, so there is no launcher.
 */
import { closeSync, writeSync } from 'node:fs';
import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { withFd } from '../kernel/files.ts';
import { ownFilesystemState } from '../kernel/namespaces.ts';
import { makePipe } from '../kernel/pipe.ts';
import { openRootOf } from '../kernel/procfs.ts';
import { resizeTerminal } from '../kernel/pty.ts';
import type { IdMap } from '../kernel/user-namespaces.ts';
import { keepWayHome } from './come-home.ts';
import { birthDuties, containerSteps } from './container-steps.ts';
import {
  enterContainer,
  execDuties,
  execSteps,
  idsOf,
  openContainer,
  openContainerTerminal,
} from './exec.ts';
import { type ShimDuties, ShimFd, type Step } from './plan.ts';
import { type LauncherFds, prepare } from './prepare.ts';
import type { ProcessHandle, Rootfs } from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import type { ShimDescriptors, ShimStarter } from './shim.ts';
import { startProcess, startUnattended } from './start-process.ts';
import { containerTerminal, execTerminal, StdioPlan } from './stdio.ts';

/** What every one of them needs: `procFd` is a procfs that is mounted nowhere (kernel/procfs.ts). */
export interface Tools {
  starter: ShimStarter;
  procFd: number;
}

/** The caller's descriptors for 0, 1 and 2; unused with a terminal. */
type CallersStdio = readonly [number, number, number];

export interface WaitingRequest {
  spec: OciSpec;
  rootfs: Rootfs;
  cgroupPaths: ReadonlyMap<string, string>;
  placement: CgroupPlacement;
  runDirectory: string;
  stdioFds: CallersStdio;
  /** A FIFO that `start` writes to, and one that it reads failures from; both open for both. */
  start: { gateFd: number; reportsFd: number };
  /** Descriptors that become 3 and on of the program. */
  handOnFds: readonly number[];
  /** Before the pivot, with the pid of the container's process; what it throws ends the container. */
  hooks: ((pid: number) => Promise<void>) | undefined;
}

export interface UnattendedProcess {
  pid: number;
  /** The terminal's master; the caller closes it. */
  terminalFd: number | undefined;
  /** For a failure that comes later (start-failure.ts). */
  steps: readonly Step[];
}

/** Makes a container whose process has done everything but execve, and waits for `start`. */
export async function createWaiting(
  { starter, procFd }: Tools,
  request: WaitingRequest,
): Promise<UnattendedProcess> {
  const { spec, placement, runDirectory, start, handOnFds, hooks } = request;
  const sandbox = prepareHere(request, { procFd, programFd: starter.programFd });
  const gate = hooks && makePipe();
  try {
    const descriptors = starter.descriptors();
    const { terminal, namespaces } = sandbox.prepared;
    const stdio =
      terminal === undefined
        ? callersStdio(request.stdioFds, descriptors)
        : containerTerminal(terminal, descriptors);
    if (terminal !== undefined) setSize(terminal.masterFd, spec.process);
    const duties: ShimDuties = {
      ...birthDuties(spec),
      cgroupFd:
        placement.directoryFd === undefined ? undefined : descriptors.add(placement.directoryFd),
      pidNamespaceFd: namespaces.pid === undefined ? undefined : descriptors.add(namespaces.pid),
      input: false,
      output: false,
      terminal: terminal !== undefined,
      log: undefined,
      leave: true,
    };
    const gates = { hooksFd: gate?.readFd, start, handOnFds };
    const steps = containerSteps(
      spec,
      sandbox.prepared,
      placement,
      stdio.child,
      descriptors,
      false,
      gates,
    );
    const atGate = hooks && gate && ((pid: number) => passGate(hooks, gate.writeFd, pid));
    const plan = { runDirectory, descriptors, duties, steps, stdio, ...(atGate && { atGate }) };
    const pid = await startUnattended(starter, plan);
    return { pid, terminalFd: stdio.agent.terminalFd, steps };
  } finally {
    sandbox.close();
    for (const fd of gate === undefined ? [] : [gate.readFd, gate.writeFd]) closeSync(fd);
  }
}

async function passGate(
  hooks: (pid: number) => Promise<void>,
  gateFd: number,
  pid: number,
): Promise<void> {
  await hooks(pid);
  writeSync(gateFd, '\n');
}

function prepareHere(request: WaitingRequest, fds: LauncherFds): Sandbox {
  const { spec, rootfs, cgroupPaths } = request;
  const umask = process.umask();
  keepWayHome(fds.procFd);
  ownFilesystemState();
  try {
    return new Sandbox(prepare({ spec, rootfs, cgroupPaths, pivotLater: true }, fds));
  } finally {
    // The shim inherits it, and the container's process from the shim.
    process.umask(umask);
  }
}

function callersStdio(fds: CallersStdio, descriptors: ShimDescriptors): StdioPlan {
  return new StdioPlan(
    fds.map((fd) => descriptors.add(fd)),
    {},
    [],
  );
}

function setSize(masterFd: number, { consoleSize: size }: OciProcess): void {
  if (size !== undefined) resizeTerminal(masterFd, size.height, size.width);
}

export interface UnattendedExec {
  /** The root of the container's mount namespace is the container's. */
  ownsMounts: boolean;
  process: OciProcess;
  seccomp: OciSpec['linux']['seccomp'];
  placement: CgroupPlacement;
  runDirectory: string;
  stdioFds: CallersStdio;
  handOnFds: readonly number[];
}

/** Throws StartError when the program could not be executed, conflict when the container has ended. */
export function execUnattended(
  { starter, procFd }: Tools,
  container: ProcessHandle,
  request: UnattendedExec,
): Promise<UnattendedProcess> {
  const { process, runDirectory, handOnFds, ownsMounts } = request;
  // The shim has its own copies of both once it is spawned, which is before anything waits.
  return withContainer(procFd, container, ownsMounts, async (pidfd, root) => {
    const descriptors = starter.descriptors();
    const keep = handOnFds.map((fd) => descriptors.add(fd));
    const containerFd = descriptors.add(pidfd);
    const rootFd = root && descriptors.add(root);
    const ids = idsOf(container.pid, pidfd);
    const terminal = process.terminal
      ? openContainerTerminal(procFd, container.pid, pidfd)
      : undefined;
    if (terminal !== undefined) setSize(terminal.masterFd, process);
    const stdio =
      terminal === undefined
        ? callersStdio(request.stdioFds, descriptors)
        : execTerminal(terminal, descriptors);
    const handOn = { first: ShimFd.firstFree, count: handOnFds.length };
    const before = { steps: [], handOn, keep };
    const steps = execSteps(request, { fd: containerFd, ids, rootFd }, stdio, descriptors, before);
    const duties = { ...execDuties(request, containerFd, descriptors), leave: true };
    const pid = await startUnattended(starter, { runDirectory, descriptors, duties, steps, stdio });
    return { pid, terminalFd: stdio.agent.terminalFd, steps };
  });
}

/** `use` gets a pidfd of its init, and its root where that is not the root of its mount namespace. */
function withContainer<T>(
  procFd: number,
  container: ProcessHandle,
  ownsMounts: boolean,
  use: (pidfd: number, rootFd: number | undefined) => Promise<T>,
): Promise<T> {
  return withFd(openContainer(container), (pidfd) => {
    if (ownsMounts) return use(pidfd, undefined);
    return withFd(openRootOf(procFd, container.pid), (rootFd) => {
      // Still there, so the root opened by number was this process's.
      container.signal(0);
      return use(pidfd, rootFd);
    });
  });
}

export interface HookProcess {
  program: string;
  args: string[];
  env: string[];
  stdioFds: CallersStdio;
  runDirectory: string;
  /** Absent: as long as it takes. */
  timeoutMs: number | undefined;
  /**
   * For a program that is the container's own: what its process may do. Absent: the machine's
   * program, with the runtime's rights.
   */
  rights: Pick<UnattendedExec, 'process' | 'seccomp' | 'placement' | 'ownsMounts'> | undefined;
}

/**
 * Runs a hook in the namespaces of a container's process. Resolves with its exit code, or undefined
 * when it took too long and was killed.
 */
export async function runInContainer(
  { starter, procFd }: Tools,
  container: ProcessHandle,
  request: HookProcess,
): Promise<number | undefined> {
  const { runDirectory, timeoutMs, rights } = request;
  const ownsMounts = rights?.ownsMounts ?? true;
  const hook = await withContainer(procFd, container, ownsMounts, (pidfd, root) => {
    const descriptors = starter.descriptors();
    const containerFd = descriptors.add(pidfd);
    const stdio = callersStdio(request.stdioFds, descriptors);
    const rootFd = root && descriptors.add(root);
    const ids = rights && idsOf(container.pid, pidfd);
    const steps = hookSteps(request, { fd: containerFd, ids, rootFd }, stdio, descriptors);
    const duties: ShimDuties = {
      cloneFlags: 0,
      cgroupFd: rights?.placement.directoryFd && descriptors.add(rights.placement.directoryFd),
      pidNamespaceFd: containerFd,
      input: false,
      output: false,
      terminal: false,
      moves: false,
      log: undefined,
    };
    return startProcess(starter, { runDirectory, descriptors, duties, steps, stdio });
  });
  let timedOut = false;
  const timer =
    timeoutMs !== undefined &&
    setTimeout(() => {
      timedOut = true;
      killIfAny(hook);
    }, timeoutMs);
  const { exitCode } = await hook.exited;
  if (timer !== false) clearTimeout(timer);
  return timedOut ? undefined : exitCode;
}

function hookSteps(
  { program, args, env, rights }: HookProcess,
  container: { fd: number; ids: IdMap | undefined; rootFd: number | undefined },
  stdio: StdioPlan,
  descriptors: ShimDescriptors,
): Step[] {
  if (rights === undefined)
    return [
      enterContainer(container.fd),
      { do: 'stdio', fds: stdio.child },
      { do: 'session', terminal: false },
      { do: 'close' },
      { do: 'exec', init: false, program, args, env },
    ];
  const process = { ...rights.process, args, env, cwd: '/', terminal: false };
  const before = { steps: [], handOn: { first: ShimFd.firstFree, count: 0 }, keep: [], program };
  return execSteps({ ...rights, process }, container, stdio, descriptors, before);
}

function killIfAny(hook: ProcessHandle): void {
  try {
    hook.signal(9);
  } catch (error) {
    // It ended at that very moment.
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
}
