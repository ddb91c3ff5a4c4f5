/**
 * While containers keep each other waiting for the processors, a program (shim/beat.c) that makes the
 * scheduler look every millisecond whose turn it is (docs/decisions/0018). It ends with this process.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { tickMicros } from '../kernel/clock.ts';
import { hasErrno } from '../kernel/libc.ts';
import { makePipe } from '../kernel/pipe.ts';
import { reapChild, spawn } from '../kernel/process.ts';
import { reapInBackground } from './reap.ts';

/** As shim/beat.c has it; a kernel that looks as often by itself (CONFIG_HZ=1000) needs no help. */
const beatMicros = 1000;

/** One second of the machine. */
export interface Round {
  /** How many containers run. */
  running: number;
  /** Whether they keep each other waiting for the processors. */
  isContended: boolean;
}

export class Beat {
  readonly #programPath: string;
  readonly #isNeeded: boolean;
  /** `pid` is undefined once it has ended by itself, as without CAP_SYS_NICE: it is not asked again meanwhile. */
  #program: { pid: number | undefined; writeFd: number } | undefined;

  /** The program is the shim's. */
  constructor(programPath: string, kernelsMicros = tickMicros()) {
    this.#programPath = programPath;
    this.#isNeeded = kernelsMicros > beatMicros;
  }

  /** Called once a second while any container runs, and with none when the last has ended. */
  follow({ running, isContended }: Round): void {
    if (!this.#isNeeded) return;
    // One alone has nobody to keep waiting, and loses nothing.
    if (running < 2) this.close();
    else if (isContended) this.#keepOn();
  }

  close(): void {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return;
    closeSync(program.writeFd);
    if (program.pid !== undefined) reapInBackground(program.pid);
  }

  #keepOn(): void {
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

  #start() {
    const { readFd, writeFd } = makePipe();
    const opened = [readFd];
    try {
      const nullFd = openSync('/dev/null', constants.O_RDWR);
      opened.push(nullFd);
      const programFd = openSync(this.#programPath, constants.O_RDONLY);
      opened.push(programFd);
      return { pid: spawn(programFd, ['corten-beat'], [readFd, nullFd, nullFd]), writeFd };
    } catch (error) {
      closeSync(writeFd);
      throw error;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }
}
