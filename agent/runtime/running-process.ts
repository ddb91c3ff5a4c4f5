/** A process under a shim, as the engine holds it. */
import { closeSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { openProcess, reapChild, signalProcess, takeDescriptor } from '../kernel/process.ts';
import { resizeTerminal } from '../kernel/pty.ts';
import { ShimFd } from './plan.ts';
import { readExit } from './run-directory.ts';
import type { ExitRecord, ProcessStdio, RunningProcess } from './runtime.ts';
import type { AliveWatch } from './shim.ts';

const SIGUSR1 = 10;
const SIGKILL = 9;
const reapRetryMs = 20;

export interface ShimmedProcess {
  runDirectory: string;
  shimPid: number;
  childPid: number;
  startedAt: Date;
  stdio: ProcessStdio;
  alive: AliveWatch;
}

export class ShimProcess implements RunningProcess {
  readonly pid: number;
  readonly shimPid: number;
  readonly startedAt: Date;
  readonly exited: Promise<ExitRecord>;
  readonly #stdio: ProcessStdio;
  readonly #alive: AliveWatch;
  /** Undefined when the process was over before we could take it. */
  readonly #pidfd: number | undefined;
  readonly #shimPidfd: number | undefined;

  constructor({ runDirectory, shimPid, childPid, startedAt, stdio, alive }: ShimmedProcess) {
    this.pid = childPid;
    this.shimPid = shimPid;
    this.startedAt = startedAt;
    this.#stdio = stdio;
    this.#alive = alive;
    this.#shimPidfd = openUnlessGone(() => openProcess(shimPid));
    // The shim's own pidfd of its child: no moment at which the number could stand for another.
    this.#pidfd =
      this.#shimPidfd === undefined
        ? undefined
        : openUnlessGone(() => takeDescriptor(this.#shimPidfd!, ShimFd.child));
    this.exited = this.#watch(runDirectory);
  }

  get stdio(): ProcessStdio {
    return this.#stdio;
  }

  signal(signal: number): void {
    if (this.#pidfd === undefined) throw notRunning();
    try {
      signalProcess(this.#pidfd, signal);
    } catch (error) {
      if (hasErrno(error, 'ESRCH')) throw notRunning();
      throw error;
    }
  }

  resize(rows: number, columns: number): void {
    if (this.#stdio.terminalFd !== undefined) resizeTerminal(this.#stdio.terminalFd, rows, columns);
  }

  closeStdin(): void {
    const { stdinFd } = this.#stdio;
    if (stdinFd === undefined) return;
    delete this.#stdio.stdinFd;
    closeSync(stdinFd);
    if (this.#shimPidfd === undefined) return;
    try {
      signalProcess(this.#shimPidfd, SIGUSR1);
    } catch (error) {
      // The shim has ended, and its end of the pipe with it.
      if (!hasErrno(error, 'ESRCH')) throw error;
    }
  }

  /** Lets go of the process without ending it: the agent stops. */
  release(): void {
    this.#alive.close();
  }

  async #watch(runDirectory: string): Promise<ExitRecord> {
    await this.#alive.ended;
    const exit = readExit(runDirectory) ?? this.#lostShim();
    reapInBackground(this.shimPid);
    return exit;
  }

  /**
   * The shim was killed and its child may live on with nobody to read its output or collect its
   * status. It cannot be supervised again, so it is ended; 255 is what shells say of the unknown.
   */
  #lostShim(): ExitRecord {
    openUnlessGone(() => this.signal(SIGKILL));
    return { exitCode: 255, signal: undefined, finishedAt: new Date() };
  }
}

function notRunning(): CortenError {
  return new CortenError('conflict', 'the process is not running any more');
}

/** Undefined when the process, or the descriptor in it, is gone: it ended meanwhile. */
function openUnlessGone<T>(open: () => T): T | undefined {
  try {
    return open();
  } catch (error) {
    if (hasErrno(error, 'ESRCH', 'EBADF') || error instanceof CortenError) return undefined;
    throw error;
  }
}

/** Collects the shim so that no zombie stays. It is about to end, but need not have ended yet. */
export function reapInBackground(shimPid: number): void {
  try {
    if (reapChild(shimPid)) return;
  } catch (error) {
    // An adopted shim is not our child; init collects it.
    if (hasErrno(error, 'ECHILD')) return;
    throw error;
  }
  setTimeout(() => reapInBackground(shimPid), reapRetryMs).unref();
}
