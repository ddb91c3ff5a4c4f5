/**
 * Starts detached containers and execs for the OCI command (agent/oci). The shim leaves after the
 * start, so that the processes become children of the command's caller, which is their reaper. They
 * use the caller's stdio.
 *
 * This runs on the main thread of a process that makes one container and ends, so there is no
 * launcher.
 */
import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { withFd } from '../kernel/files.ts';
import { ownFilesystemState } from '../kernel/namespaces.ts';
import { openRootOf } from '../kernel/procfs.ts';
import { resizeTerminal } from '../kernel/pty.ts';
import type { IdMap } from '../kernel/user-namespaces.ts';
import { cloneOptions, containerSteps } from './container-steps.ts';
import {
  enterContainer,
  execShimConfig,
  execSteps,
  idsOf,
  openContainer,
  openContainerTerminal,
} from './exec.ts';
import { keepHostNamespaces } from './host-namespaces.ts';
import { type ShimConfig, ShimFd, type Step } from './plan.ts';
import { type LauncherFds, prepare } from './prepare.ts';
import type { ProcessExtras } from './process-steps.ts';
import type { ProcessHandle, Rootfs } from './runtime.ts';
import { Sandbox } from './sandbox.ts';
import type { ShimDescriptors, ShimStarter } from './shim.ts';
import { startDetached, startProcess } from './start-process.ts';
import { containerTerminal, execTerminal, StdioPlan } from './stdio.ts';
import { SyncPipes, takeListener } from './sync-pipes.ts';

/**
 * What all of these functions need. `procFd` is a procfs that is mounted nowhere
 * (kernel/procfs.ts).
 */
export interface Tools {
  starter: ShimStarter;
  procFd: number;
}

/** The caller's descriptors for stdin, stdout and stderr. Unused with a terminal. */
type CallersStdio = readonly [number, number, number];

export interface DetachedRequest {
  spec: OciSpec;
  rootfs: Rootfs;
  cgroupPaths: ReadonlyMap<string, string>;
  placement: CgroupPlacement;
  runDirectory: string;
  stdioFds: CallersStdio;
  /**
   * The FIFO that `start` writes to and the one that it reads failures from, both opened for
   * reading and writing.
   */
  start: { gateFd: number; reportsFd: number };
  /** Descriptors that become 3 and following of the program. */
  preservedFds: readonly number[];
  /**
   * Called before the pivot with the pid of the container's process. An error ends the container.
   */
  hooks: ((pid: number) => Promise<void>) | undefined;
  listener: TakeListener | undefined;
  noPivot: boolean;
  extras: ProcessExtras;
}

/**
 * Receives the listener of a process's seccomp filter before the filter can notify anybody. The
 * listener is closed afterwards. An error ends the process.
 */
export type TakeListener = (pid: number, listenerFd: number) => Promise<void> | void;

export interface DetachedProcess {
  pid: number;
  /** The master of the terminal, which the caller closes. */
  terminalFd: number | undefined;
  /** Used to explain a failure that comes after this call (start-failure.ts). */
  steps: readonly Step[];
}

/** Makes a container whose process has done everything except execve and waits for `start`. */
export async function createDetached(
  { starter, procFd }: Tools,
  request: DetachedRequest,
): Promise<DetachedProcess> {
  const { spec, placement, runDirectory, start, preservedFds, noPivot, extras } = request;
  const sandbox = prepareHere(request, { procFd, programFd: starter.programFd });
  const gates = new SyncPipes();
  try {
    const descriptors = starter.descriptors();
    const { terminal, namespaces } = sandbox.prepared;
    const stdio =
      terminal === undefined
        ? callersStdio(request.stdioFds, descriptors)
        : containerTerminal(terminal, descriptors);
    if (terminal !== undefined) setSize(terminal.masterFd, spec.process);
    const shimConfig: ShimConfig = {
      ...cloneOptions(spec),
      cgroupFd:
        placement.directoryFd === undefined ? undefined : descriptors.add(placement.directoryFd),
      pidNamespaceFd: namespaces.pid === undefined ? undefined : descriptors.add(namespaces.pid),
      input: false,
      output: false,
      terminal: terminal !== undefined,
      log: undefined,
      leave: true,
    };
    const { hooks, listener } = request;
    const hooksFd = hooks && gates.add(({ pid }) => hooks(pid));
    const listenerGateFd = listener && gates.add((waiting) => takeListener(waiting, listener));
    const steps = containerSteps(
      spec,
      sandbox.prepared,
      placement,
      stdio.child,
      descriptors,
      false,
      { hooksFd, start, preservedFds, listenerGateFd, noPivot, extras },
    );
    const plan = { runDirectory, descriptors, shimConfig, steps, stdio, gates: gates.all };
    const pid = await startDetached(starter, plan);
    return { pid, terminalFd: stdio.agent.terminalFd, steps };
  } finally {
    sandbox.close();
    gates.close();
  }
}

function prepareHere(request: DetachedRequest, fds: LauncherFds): Sandbox {
  const { spec, rootfs, cgroupPaths } = request;
  const umask = process.umask();
  keepHostNamespaces(fds.procFd);
  ownFilesystemState();
  try {
    return new Sandbox(prepare({ spec, rootfs, cgroupPaths, pivotLater: true }, fds));
  } finally {
    // The container's process inherits the umask through the shim.
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

export interface DetachedExec extends ExecRights {
  runDirectory: string;
  stdioFds: CallersStdio;
  preservedFds: readonly number[];
}

/** The rights of an additional process in a container. */
export interface ExecRights {
  /** Whether the root of the container's mount namespace is the container's own. */
  ownsMounts: boolean;
  /** Whether the container has a time namespace of its own. */
  inTime: boolean;
  process: OciProcess;
  seccomp: OciSpec['linux']['seccomp'];
  listener: TakeListener | undefined;
  placement: CgroupPlacement;
  extras: ProcessExtras;
}

/** Throws StartError when the program could not be executed, conflict when the container has ended. */
export function execDetached(
  { starter, procFd }: Tools,
  container: ProcessHandle,
  request: DetachedExec,
): Promise<DetachedProcess> {
  const { process, runDirectory, preservedFds, ownsMounts, inTime } = request;
  const gates = new SyncPipes();
  // The shim has copies of both descriptors once it is spawned, before anything waits.
  return withContainer(procFd, container, ownsMounts, async (pidfd, root) => {
    const descriptors = starter.descriptors();
    const keep = preservedFds.map((fd) => descriptors.add(fd));
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
    const before = beforeExec(request, gates, keep, descriptors);
    const entered = { fd: containerFd, ids, rootFd, inTime };
    const steps = execSteps(request, entered, stdio, descriptors, before);
    const shimConfig = { ...execShimConfig(request, containerFd, descriptors), leave: true };
    const plan = { runDirectory, descriptors, shimConfig, steps, stdio, gates: gates.all };
    const pid = await startDetached(starter, plan);
    return { pid, terminalFd: stdio.agent.terminalFd, steps };
  }).finally(() => gates.close());
}

/**
 * `preserved` are the shim's numbers of the descriptors that become 3 and following of the program.
 */
function beforeExec(
  { listener, extras }: ExecRights,
  gates: SyncPipes,
  preserved: readonly number[],
  descriptors: ShimDescriptors,
) {
  const gate = listener && gates.add((waiting) => takeListener(waiting, listener));
  return {
    ...extras,
    steps: [],
    preserved: { first: ShimFd.firstFree, count: preserved.length },
    keep: gate === undefined ? preserved : [...preserved, descriptors.add(gate)],
    listenerGate: ShimFd.firstFree + preserved.length,
  };
}

/**
 * Calls `use` with a pidfd of the container's init and, where that is not the root of its mount
 * namespace, its root.
 */
function withContainer<T>(
  procFd: number,
  container: ProcessHandle,
  ownsMounts: boolean,
  use: (pidfd: number, rootFd: number | undefined) => Promise<T>,
): Promise<T> {
  return withFd(openContainer(container), (pidfd) => {
    if (ownsMounts) return use(pidfd, undefined);
    return withFd(openRootOf(procFd, container.pid), (rootFd) => {
      // The process still runs, so the root opened by its pid is its own.
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
  /** Undefined waits without end. */
  timeoutMs: number | undefined;
  /**
   * The rights of a hook that is a program of the container. Undefined means a program of the host
   * with the runtime's rights.
   */
  rights: ExecRights | undefined;
}

/**
 * Runs a hook in the namespaces of a container's process. Resolves with its exit code, or with
 * undefined when it timed out and was killed.
 */
export async function runInContainer(
  { starter, procFd }: Tools,
  container: ProcessHandle,
  request: HookProcess,
): Promise<number | undefined> {
  const { runDirectory, timeoutMs, rights } = request;
  const ownsMounts = rights?.ownsMounts ?? true;
  const gates = new SyncPipes();
  const hook = await withContainer(procFd, container, ownsMounts, (pidfd, root) => {
    const descriptors = starter.descriptors();
    const containerFd = descriptors.add(pidfd);
    const stdio = callersStdio(request.stdioFds, descriptors);
    const rootFd = root && descriptors.add(root);
    const ids = rights && idsOf(container.pid, pidfd);
    const inTime = rights?.inTime === true;
    const entered = { fd: containerFd, ids, rootFd, inTime };
    const steps = hookSteps(request, entered, stdio, descriptors, gates);
    const shimConfig: ShimConfig = {
      cloneFlags: 0,
      cgroupFd: rights?.placement.directoryFd && descriptors.add(rights.placement.directoryFd),
      pidNamespaceFd: containerFd,
      input: false,
      output: false,
      terminal: false,
      moves: false,
      log: undefined,
    };
    const plan = { runDirectory, descriptors, shimConfig, steps, stdio, gates: gates.all };
    return startProcess(starter, plan);
  }).finally(() => gates.close());
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
  container: { fd: number; ids: IdMap | undefined; rootFd: number | undefined; inTime: boolean },
  stdio: StdioPlan,
  descriptors: ShimDescriptors,
  gates: SyncPipes,
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
  const before = { ...beforeExec(rights, gates, [], descriptors), program };
  return execSteps({ ...rights, process }, container, stdio, descriptors, before);
}

function killIfAny(hook: ProcessHandle): void {
  try {
    hook.signal(9);
  } catch (error) {
    // The hook ended at that moment.
    if (!(error instanceof CortenError && error.kind === 'conflict')) throw error;
  }
}
