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
   * Throws {@link StartError} when the image's process could not be executed; nothing is left.
   * Either way the sandbox is used up: its descriptors are closed when this settles.
   */
  launch(sandbox: PreparedSandbox, request: LaunchRequest): Promise<RunningProcess>;
  /** Runs one more process inside a running container. */
  exec(container: ProcessHandle, request: ExecRequest): Promise<RunningProcess>;
  /**
   * Does of such an exec what is not to be seen in the container yet, for a caller who will very soon want
   * it, or not. Undefined when it would take longer than it gains. Throws as `exec` does.
   */
  prestartExec(container: ProcessHandle, request: ExecRequest): PrestartedExec | undefined;
  /** Finds the process of a run directory: still running, or ended while nobody watched. */
  readopt(runDirectory: string): Promise<RunningProcess | ExitRecord | undefined>;
  /**
   * How long a turn on a processor is of all threads of `processes`, pids on this machine: as this runtime gave it to
   * them, or shorter ones, with which they interrupt all others at once. Those with turns that they set themselves
   * keep theirs, as do those of very many processes.
   */
  setTurns(processes: readonly number[], turns: 'own' | 'shorter'): void;
  close(): Promise<void>;
}

export interface PrepareRequest {
  spec: OciSpec;
  rootfs: Rootfs;
  /** What `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf` and volumes are is in `spec.mounts`. */
  cgroupPaths: ReadonlyMap<string, string>;
  /** Makes what `spec.mounts` names and is not there yet, in the way of `makeGroups`, and before. */
  makeSources?: () => void;
  /**
   * Makes them, while the rest is prepared: it is called once, before `prepare` returns. When it throws,
   * `prepare` throws that, and nothing is left of the sandbox.
   */
  makeGroups?: () => void;
  /**
   * The same for what nobody waits for: it is called after that. It may tell what will be launched: as much
   * of that as needs no sandbox is begun at once, in the groups.
   */
  meanwhile?: () => LaunchRequest | undefined;
  /** Nobody will wire its network: the loopback is all it gets. */
  unwired?: boolean;
  /** With `keepsRoot`: all its mounts stay when it ends, and what they show with them, such as its network. */
  keepsMounts?: boolean;
  /** Files to read from the image before anything is mounted over it, such as `/etc/passwd`. */
  readFiles?: string[];
  /** Fills each empty directory `source` of the host with what the image has at `target`. */
  copyUp?: { source: string; target: string }[];
  /**
   * The shim's child pivots, after it has waited, so that hooks find the container's tree beside the
   * host's (agent/oci). Else nothing that has a container's pid ever sees the host's tree.
   */
  pivotLater?: boolean;
}

/** An overlay of image layers (the topmost first), or a plain directory. */
export type Rootfs =
  | {
      kind: 'overlay';
      lowers: string[];
      upper: string;
      work: string;
      /**
       * A detached mount that holds `upper` and `work`, with its place. It is attached there in the
       * container's mount namespace only, and from then on the overlay holds it. The caller closes `fd`.
       */
      below?: { fd: number; directory: string };
    }
  | { kind: 'directory'; path: string };

export interface PreparedSandbox {
  /** The new network namespace, with its loopback up; undefined when the container uses the host's. */
  readonly networkFd: number | undefined;
  /** An rtnetlink socket that was made inside that namespace, usable from any thread; none when `unwired`. */
  readonly netlinkFd: number | undefined;
  /** Those of `readFiles` that the image has. */
  readonly files: ReadonlyMap<string, string>;
  /** Releases every descriptor at once, and resolves when nothing is left of a process that was begun. Idempotent. */
  close(): Promise<void>;
}

export interface LaunchRequest {
  spec: OciSpec;
  runDirectory: string;
  placement: CgroupPlacement;
  /** Absent: output is thrown away. */
  log?: LogPlan;
  openStdin: boolean;
  /** Run the shim's own init as PID 1, which reaps and forwards signals. */
  init: boolean;
  /** Its overlay stays mounted when it ends, until `releaseRoot`. */
  keepsRoot?: boolean;
}

export interface LogPlan {
  /** An existing directory; files are `00000001.log` and on. */
  directory: string;
  /** A new file begins when one would grow beyond this; 0: never. */
  maxBytes: number;
  /** The oldest file beyond this number is removed; 0: none. */
  maxFiles: number;
}

export interface ExecRequest {
  process: OciProcess;
  runDirectory: string;
  placement: CgroupPlacement;
  openStdin: boolean;
  seccomp: OciSpec['linux']['seccomp'];
}

/** Finished or given up, once. The request's placement is the caller's to close as soon as it is begun. */
export interface PrestartedExec {
  /**
   * As `exec`. Undefined when its shim was killed meanwhile, and nothing has happened: it can be done anew. While it is on
   * its way `meanwhile` is called, which throws nothing; descriptors that it takes out of `stdio` are its own.
   */
  finish(meanwhile?: (stdio: ProcessStdio) => void): Promise<RunningProcess | undefined>;
  discard(): Promise<void>;
}

export interface ProcessHandle {
  /** Pid of the container's init on the host. */
  readonly pid: number;
  /**
   * Sends a signal through the pidfd: never to a process that merely has the same number. Throws
   * conflict when the process has ended. Signal 0 only asks: what was opened by `pid` before it was
   * answered is this process's, since a number is not given anew while its process is there.
   */
  signal(signal: number): void;
}

export interface RunningProcess extends ProcessHandle {
  readonly shimPid: number;
  /** When the image's process was executed. */
  readonly startedAt: Date;
  /**
   * The process's ends of stdio that the agent may use. For a container only `stdin` and
   * `terminal` are present, since the shim alone reads its output; for an exec all are. The caller
   * owns these descriptors and closes them.
   */
  readonly stdio: ProcessStdio;
  /** Never rejects; how it ended is 255 where that cannot be found out. */
  readonly exited: Promise<ExitRecord>;
  /** After that: when nothing is written to its run directory any more. */
  readonly settled: Promise<void>;
  /** Sets the terminal's size, in characters. */
  resize(rows: number, columns: number): void;
  /**
   * Closes the shim's copy of stdin. Once the caller has closed `stdio.stdinFd` too, the process
   * sees end of file.
   */
  closeStdin(): void;
  /**
   * After the end of one that keeps its root: unmounts it, for which the kernel writes all of that file
   * system's changes to the disk. Else the last process to end waits for that, and whoever waits for its end.
   */
  releaseRoot(): Promise<void>;
  /** Tells the shim of new limits of the log that it writes; what is written already stays. */
  limitLog(limits: Pick<LogPlan, 'maxBytes' | 'maxFiles'>): void;
}

export interface ProcessStdio {
  /** Write end of stdin, or the pty master (then also readable for an exec). */
  stdinFd?: number;
  stdoutFd?: number;
  stderrFd?: number;
  terminalFd?: number;
}

export interface ExitRecord {
  /** 0 to 255; 128 + signal when a signal ended it, as a shell says it. */
  exitCode: number;
  signal: number | undefined;
  finishedAt: Date;
}
