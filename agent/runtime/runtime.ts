/**
 * The runtime: from a finished OCI specification to a running process, and back to an exit record.
 *
 * Glossary. The *launcher* is a worker thread that makes namespaces and mounts. The *shim* is the
 * small static process that becomes the container's parent (agent/shim). A *run directory*
 * holds what outlives the agent: `pids` (shim pid, init pid and their start times, written by the
 * shim), `alive` (a FIFO that the shim holds open for writing, so that its death is an EOF),
 * `exit` (the exit record, renamed into place). A *log directory* holds the framed output.
 *
 * One life: `prepare` makes namespaces and the mount tree and gives back descriptors; the caller
 * wires the network through `netlinkFd`; `launch` spawns the shim and resolves once the image's
 * process has been executed; `exited` resolves with the exit record. Closing a prepared sandbox
 * that was never launched undoes everything, because nothing but its descriptors holds it.
 * After an agent restart `readopt` takes a run directory up again.
 */
import type { CgroupPlacement } from '../cgroup/cgroup.ts';
import type { OciProcess, OciSpec } from '../contract/oci-runtime.ts';

export interface Runtime {
  prepare(request: PrepareRequest): Promise<PreparedSandbox>;
  /**
   * Throws {@link StartError} when the image's process could not be executed; nothing is left then.
   * The sandbox's descriptors are closed in any case.
   */
  launch(sandbox: PreparedSandbox, request: LaunchRequest): Promise<RunningProcess>;
  /** Runs one more process inside a running container. */
  exec(container: ProcessHandle, request: ExecRequest): Promise<RunningProcess>;
  /**
   * Prepares an exec without showing anything of it in the container yet, for a caller who will
   * probably start it soon. Returns undefined when that would take longer than it gains. Throws as
   * `exec` does.
   */
  prestartExec(container: ProcessHandle, request: ExecRequest): PrestartedExec | undefined;
  /** Finds the process of a run directory: still running, or ended while no agent ran. */
  readopt(runDirectory: string): Promise<RunningProcess | ExitRecord | undefined>;
  /**
   * Sets the scheduler's time slice of all threads of `processes` (pids on this machine): the default that this runtime
   * gave them, or a shorter one with which they preempt the others at once. Threads that set their own slice keep it,
   * as do groups of more than 256 processes.
   */
  setTimeSlice(processes: readonly number[], slice: 'default' | 'short'): void;
  close(): Promise<void>;
}

export interface PrepareRequest {
  spec: OciSpec;
  rootfs: Rootfs;
  /** `spec.mounts` contains `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf` and the volumes. */
  cgroupPaths: ReadonlyMap<string, string>;
  /**
   * Makes the sources that `spec.mounts` names and that do not exist yet. Called like `makeGroups`,
   * and before it.
   */
  makeSources?: () => void;
  /**
   * Makes the cgroups while the rest is prepared. Called once, before `prepare` returns. When it
   * throws, `prepare` throws that error and nothing of the sandbox is left.
   */
  makeGroups?: () => void;
  /**
   * Called after `makeGroups`, for work that nobody waits for. If it returns what will be launched,
   * the parts that need no sandbox are prestarted in the cgroups.
   */
  meanwhile?: () => LaunchRequest | undefined;
  /** Whether nobody will configure the network, so that it has only the loopback. */
  unwired?: boolean;
  /**
   * With `keepsRoot`: all mounts stay after the exit, and with them the namespaces that they show.
   */
  keepsMounts?: boolean;
  /** What mounts of the type `tree` show; their source is an index in this list. */
  trees?: readonly Tree[];
  /** Files to read from the image before anything is mounted over it, such as `/etc/passwd`. */
  readFiles?: string[];
  /** Copies the image's content at `target` into each empty host directory `source`. */
  copyUp?: { source: string; target: string }[];
  /**
   * Lets the shim's child pivot after its gates, so that hooks find both mount trees (agent/oci).
   * Otherwise no process of the container ever sees the host's tree.
   */
  pivotLater?: boolean;
}

/** An overlay of image layers, the topmost first, or a plain directory. */
export type Rootfs =
  | {
      kind: 'overlay';
      lowers: string[];
      upper: string;
      work: string;
      /**
       * Leaves it to the kernel when changes are written to disk, which a mount's end else waits for. The changes are
       * lost when the machine crashes, and `upper` cannot be mounted so again (overlayfs.rst, "Volatile mount").
       */
      volatile?: true;
      /**
       * A detached mount that holds `upper` and `work`, and its place. It is attached only in the
       * container's mount namespace and then held by the overlay. The caller closes `fd`.
       */
      below?: { fd: number; directory: string };
    }
  | { kind: 'directory'; path: string };

/** A file or directory in a file tree that nobody but the container sees. Links are resolved inside the tree. */
export type Tree = {
  selector: string;
  /** A directory on which the whole is attached in the container's mount namespace, where nothing else may need it. */
  place: string;
} & (
  | {
      kind: 'layers';
      /** At least one, the topmost first; with `upper` and `work` it can be written. */
      lowers: readonly string[];
      upper?: string;
      work?: string;
    }
  /** A detached mount. The caller closes `fd`. */
  | { kind: 'mount'; fd: number }
);

export interface PreparedSandbox {
  /**
   * The new network namespace, with its loopback up. Undefined when the container uses the host's.
   */
  readonly networkFd: number | undefined;
  /**
   * An rtnetlink socket inside that namespace, usable from any thread. Undefined when `unwired`.
   */
  readonly netlinkFd: number | undefined;
  /** The content of those `readFiles` that the image has. */
  readonly files: ReadonlyMap<string, string>;
  /**
   * Closes all descriptors at once, and resolves when a prestarted process has ended. Can be called
   * more than once.
   */
  close(): Promise<void>;
}

export interface LaunchRequest {
  spec: OciSpec;
  runDirectory: string;
  placement: CgroupPlacement;
  /** Absent drops the output, unless `pipesOutput` is set. */
  log?: LogPlan;
  /**
   * Instead of a log: the agent reads the output from `stdio`, and with it a process that writes faster than it is read
   * waits. The output ends with the agent.
   */
  pipesOutput?: boolean;
  openStdin: boolean;
  /** Runs the shim's own init as PID 1, which reaps processes and forwards signals. */
  init: boolean;
  /** Keeps the overlay mounted after the exit until `releaseRoot`. */
  keepsRoot?: boolean;
}

export interface LogPlan {
  /** An existing directory. Files are named `00000001.log` and so on. */
  directory: string;
  /** A file that would grow beyond this is followed by a new one; 0 means no limit. */
  maxBytes: number;
  /** The oldest files beyond this number are removed; 0 means no limit. */
  maxFiles: number;
}

export interface ExecRequest {
  process: OciProcess;
  runDirectory: string;
  placement: CgroupPlacement;
  openStdin: boolean;
  seccomp: OciSpec['linux']['seccomp'];
}

/**
 * Either finished or discarded, once. The caller closes the request's placement after this was
 * returned.
 */
export interface PrestartedExec {
  /**
   * Resolves like `exec`, or with undefined when its shim was killed and the exec has to be started
   * again. Calls `meanwhile`, which must not throw, while the process starts; it owns the
   * descriptors that it takes out of `stdio`.
   */
  finish(meanwhile?: (stdio: ProcessStdio) => void): Promise<RunningProcess | undefined>;
  discard(): Promise<void>;
}

export interface ProcessHandle {
  /** The host pid of the container's init. */
  readonly pid: number;
  /**
   * Sends a signal through the pidfd, so never to another process with the same pid. Throws
   * conflict when the process has ended. Signal 0 only checks: what was opened by `pid` before a
   * successful check belongs to this process.
   */
  signal(signal: number): void;
}

export interface RunningProcess extends ProcessHandle {
  readonly shimPid: number;
  /** When the image's process was executed. */
  readonly startedAt: Date;
  /**
   * The agent's ends of stdio. A container has only `stdin` and `terminal`, since its shim reads
   * the output; an exec, and a container with `pipesOutput`, has all. The caller owns and closes these descriptors.
   */
  readonly stdio: ProcessStdio;
  /** Never rejects. An unknown exit code is 255. */
  readonly exited: Promise<ExitRecord>;
  /** Resolves after `exited`, when nothing more is written to the run directory. */
  readonly settled: Promise<void>;
  /** Sets the terminal's size in characters. */
  resize(rows: number, columns: number): void;
  /**
   * Closes the shim's copy of stdin. The process sees end of file once the caller has closed
   * `stdio.stdinFd` too.
   */
  closeStdin(): void;
  /**
   * Unmounts the root that `keepsRoot` kept. The kernel then writes all changes of that file system
   * to disk, for which otherwise the container's last process, and everybody who waits for its
   * exit, would wait.
   */
  releaseRoot(): Promise<void>;
  /** Sends new log limits to the shim. Existing log records stay. */
  limitLog(limits: Pick<LogPlan, 'maxBytes' | 'maxFiles'>): void;
}

export interface ProcessStdio {
  /** The write end of stdin, or the pty master, which for an exec is readable too. */
  stdinFd?: number;
  stdoutFd?: number;
  stderrFd?: number;
  terminalFd?: number;
}

export interface ExitRecord {
  /** 0 to 255, or 128 + signal when a signal ended it. */
  exitCode: number;
  signal: number | undefined;
  finishedAt: Date;
}
