/**
 * Runs the program of shim/scheduler-tick.c while containers contend: it makes the kernel's scheduler run every
 * millisecond on each CPU, where CONFIG_HZ=250 would do so every 4 ms (docs/decisions/0018). Without it the neighbour's
 * p99 in `scripts/noisy` is 1.8 -> 7.6 ms with all noises. The program ends with this process.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { tickMicros } from '../kernel/clock.ts';
import { hasErrno } from '../kernel/libc.ts';
import { makePipe } from '../kernel/pipe.ts';
import { reapChild, spawn } from '../kernel/process.ts';
import { reapInBackground } from './reap.ts';

/** As in shim/scheduler-tick.c. A kernel with CONFIG_HZ=1000 needs no help. */
const periodMicros = 1000;

interface Program {
  /** Undefined once it has ended by itself; it is not started again before the contention has ended. */
  pid: number | undefined;
  writeFd: number;
}

export class SchedulerTick {
  readonly #programPath: string;
  readonly #isNeeded: boolean;
  #program: Program | undefined;

  /** `programPath` is the shim's; `kernelTickMicros` is the kernel's own period. */
  constructor(programPath: string, kernelTickMicros = tickMicros()) {
    this.#programPath = programPath;
    this.#isNeeded = kernelTickMicros > periodMicros;
  }

  /** Called once a second while containers contend, since the program stops by itself after 2.5 s without a word. */
  update(isContended: boolean): void {
    if (!isContended) this.close();
    else if (this.#isNeeded) this.#keepTicking();
  }

  close(): void {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return;
    closeSync(program.writeFd);
    if (program.pid !== undefined) reapInBackground(program.pid);
  }

  #keepTicking(): void {
    this.#program ??= this.#start();
    const { pid, writeFd } = this.#program;
    if (pid === undefined) return;
    try {
      writeSync(writeFd, '.');
    } catch (error) {
      if (!hasErrno(error, 'EPIPE')) throw error;
      if (reapChild(pid)) this.#program.pid = undefined;
    }
  }

  #start(): Program {
    const input = makePipe();
    const opened = [input.readFd];
    try {
      const nullFd = openSync('/dev/null', constants.O_RDWR);
      opened.push(nullFd);
      const programFd = openSync(this.#programPath, constants.O_RDONLY);
      opened.push(programFd);
      const pid = spawn(programFd, ['corten-tick'], [input.readFd, nullFd, nullFd]);
      return { pid, writeFd: input.writeFd };
    } catch (error) {
      closeSync(input.writeFd);
      throw error;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }
}
