/** A process under a shim, as the engine uses it. */
import { close, closeSync } from 'node:fs';
import { promisify } from 'node:util';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { duplicateFrom, openProcess, signalProcess, takeDescriptor } from '../kernel/process.ts';
import { resizeTerminal } from '../kernel/pty.ts';
import type { AliveWatch } from './alive-watch.ts';
import { ShimFd } from './plan.ts';
import { reapInBackground } from './reap.ts';
import { readExit, writeLogLimits } from './run-directory.ts';
import type { ExitRecord, LogPlan, ProcessStdio, RunningProcess } from './runtime.ts';

const SIGUSR1 = 10;
const SIGUSR2 = 12;
const SIGKILL = 9;
const closeInBackground = promisify(close);

export interface ShimmedProcess {
  runDirectory: string;
  shimPid: number;
  childPid: number;
  startedAt: Date;
  stdio: ProcessStdio;
  alive: AliveWatch;
  /** See RunningProcess.releaseRoot. This object owns the descriptor. */
  rootFd?: number | undefined;
}

export class ShimProcess implements RunningProcess {
  readonly pid: number;
  readonly shimPid: number;
  readonly startedAt: Date;
  readonly stdio: ProcessStdio;
  readonly exited: Promise<ExitRecord>;
  readonly settled: Promise<void>;
  readonly #alive: AliveWatch;
  readonly #runDirectory: string;
  /** Undefined once the process has ended. */
  #pidfd: number | undefined;
  #shimPidfd: number | undefined;
  /** A copy of the terminal's master; the descriptor in `stdio` belongs to its reader. */
  #terminalFd: number | undefined;
  #rootFd: number | undefined;

  constructor(parts: ShimmedProcess) {
    const { runDirectory, shimPid, childPid, startedAt, stdio, alive } = parts;
    this.pid = childPid;
    this.shimPid = shimPid;
    this.startedAt = startedAt;
    this.stdio = stdio;
    this.#alive = alive;
    this.#rootFd = parts.rootFd;
    this.#runDirectory = runDirectory;
    const shimPidfd = unlessGone(() => openProcess(shimPid));
    this.#shimPidfd = shimPidfd;
    // The shim's own pidfd of its child never refers to another process.
    if (shimPidfd !== undefined)
      this.#pidfd = unlessGone(() => takeDescriptor(shimPidfd, ShimFd.child));
    if (stdio.terminalFd !== undefined) this.#terminalFd = duplicateFrom(stdio.terminalFd, 3);
    this.exited = this.#watch(runDirectory);
    this.settled = alive.ended;
  }

  signal(signal: number): void {
    const pidfd = this.#pidfd;
    if (pidfd === undefined) throw notRunning();
    try {
      signalProcess(pidfd, signal);
    } catch (error) {
      if (hasErrno(error, 'ESRCH')) throw notRunning();
      throw error;
    }
  }

  resize(rows: number, columns: number): void {
    if (this.#terminalFd !== undefined) resizeTerminal(this.#terminalFd, rows, columns);
  }

  closeStdin(): void {
    const shimPidfd = this.#shimPidfd;
    if (shimPidfd !== undefined) unlessGone(() => signalProcess(shimPidfd, SIGUSR1));
  }

  limitLog(limits: Pick<LogPlan, 'maxBytes' | 'maxFiles'>): void {
    const shimPidfd = this.#shimPidfd;
    if (shimPidfd === undefined) throw notRunning();
    writeLogLimits(this.#runDirectory, limits);
    unlessGone(() => signalProcess(shimPidfd, SIGUSR2));
  }

  async releaseRoot(): Promise<void> {
    const fd = this.#rootFd;
    this.#rootFd = undefined;
    // The close runs in the thread pool, because it waits for the disk.
    if (fd !== undefined) await closeInBackground(fd);
  }

  /** Stops watching the process without ending it, when the agent stops. */
  release(): void {
    this.#alive.close();
    this.#closeDescriptors();
    if (this.#rootFd !== undefined) closeSync(this.#rootFd);
    this.#rootFd = undefined;
  }

  async #watch(runDirectory: string): Promise<ExitRecord> {
    const told = await this.#alive.exit;
    const exit = told ?? exitIn(runDirectory) ?? this.#endOrphan();
    this.#closeDescriptors();
    void this.#alive.ended.then(() => reapInBackground(this.shimPid));
    return exit;
  }

  /**
   * The shim was killed, so nobody can read the child's output or collect its status. The child is
   * ended; 255 stands for the unknown exit code.
   */
  #endOrphan(): ExitRecord {
    const pidfd = this.#pidfd;
    if (pidfd !== undefined) unlessGone(() => signalProcess(pidfd, SIGKILL));
    return { exitCode: 255, signal: undefined, finishedAt: new Date() };
  }

  #closeDescriptors(): void {
    for (const fd of [this.#pidfd, this.#shimPidfd, this.#terminalFd])
      if (fd !== undefined) closeSync(fd);
    this.#pidfd = this.#shimPidfd = this.#terminalFd = undefined;
  }
}

/**
 * The record may be unreadable, for example when no descriptors are left. The process has ended all
 * the same.
 */
function exitIn(runDirectory: string): ExitRecord | undefined {
  try {
    return readExit(runDirectory);
  } catch {
    return undefined;
  }
}

function notRunning(): CortenError {
  return new CortenError('conflict', 'the process is not running any more');
}

/**
 * Returns undefined when the process or its descriptor is gone, because the process ended
 * meanwhile.
 */
function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (hasErrno(error, 'ESRCH', 'EBADF')) return undefined;
    throw error;
  }
}
