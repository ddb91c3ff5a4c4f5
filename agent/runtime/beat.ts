/**
 * While containers keep each other waiting for the processors, a program (shim/beat.c) that makes the
 * scheduler look every millisecond whose turn it is (docs/decisions/0018). It ends with this process.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { tickMicros } from '../kernel/clock.ts';
import { hasErrno } from '../kernel/libc.ts';
import { makePipe } from '../kernel/pipe.ts';
import { reapChild, spawn } from '../kernel/process.ts';
import { type ProcessorTimes, processorTimes } from '../kernel/processor-times.ts';
import { reapInBackground } from './reap.ts';

/** As shim/beat.c has it; a kernel that looks as often by itself (CONFIG_HZ=1000) needs no help. */
const beatMicros = 1000;
/** One alone has no neighbour that it could keep waiting, and loses nothing. */
const leastRunning = 2;
/** A container that waits because of its own quota waits on a machine that is idle. */
const leastBusy = 0.4;
const leastStall = 0.02;
/** Where the kernel does not tell who waits. */
const leastBusyAlone = 0.6;

/** One second of the machine. */
export interface Look {
  /** How many containers run. */
  running: number;
  /** The share of the time in which somebody waited for a processor; absent: not known. */
  cpuStall?: number | undefined;
}

export class Beat {
  readonly #programPath: string;
  readonly #times: () => ProcessorTimes;
  readonly #isNeeded: boolean;
  #before: ProcessorTimes | undefined;
  /** `pid` is undefined once it has ended by itself, as without CAP_SYS_NICE: it is not asked again meanwhile. */
  #program: { pid: number | undefined; writeFd: number } | undefined;

  /** The program is the shim's. */
  constructor(programPath: string, times = processorTimes, kernelsMicros = tickMicros()) {
    this.#programPath = programPath;
    this.#times = times;
    this.#isNeeded = kernelsMicros > beatMicros;
  }

  /** Called once a second while any container runs, and with none when the last has ended. */
  follow(look: Look): void {
    if (!this.#isNeeded) return;
    if (look.running < leastRunning) {
      this.close();
      return;
    }
    const [before, now] = [this.#before, this.#times()];
    this.#before = now;
    if (before !== undefined && isContended(look, busyShare(before, now))) this.#keepOn();
  }

  close(): void {
    const program = this.#program;
    this.#program = undefined;
    this.#before = undefined;
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

export function isContended({ running, cpuStall }: Look, busy: number): boolean {
  if (running < leastRunning) return false;
  return cpuStall === undefined
    ? busy >= leastBusyAlone
    : busy >= leastBusy && cpuStall >= leastStall;
}

function busyShare(before: ProcessorTimes, now: ProcessorTimes): number {
  const [busy, idle] = [now.busy - before.busy, now.idle - before.idle];
  return busy + idle <= 0 ? 0 : busy / (busy + idle);
}
