/**
 * While containers run beside each other, a program (shim/beat.c) that says when somebody begins to wait for a
 * processor, and while they keep each other waiting makes the scheduler look every millisecond whose turn it is
 * (docs/decisions/0018). It ends with this process.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tickMicros } from '../kernel/clock.ts';
import { hasErrno } from '../kernel/libc.ts';
import { makePipe } from '../kernel/pipe.ts';
import { reapChild, spawn } from '../kernel/process.ts';
import { reapInBackground } from './reap.ts';

/** As shim/beat.c has it; a kernel that looks as often by itself (CONFIG_HZ=1000) needs no help. */
const beatMicros = 1000;
/** What beat.h calls them. */
const asks = { beat: '.', watch: 'w' } as const;

/** What is known of the machine, once a second or more often. */
export interface Round {
  /** How many containers run. */
  running: number;
  /** Whether they keep each other waiting for the processors. */
  isContended: boolean;
}

interface Program {
  /** Undefined once it has ended by itself: it is not asked again meanwhile. */
  pid: number | undefined;
  writeFd: number;
  output: Socket;
}

export class Beat {
  readonly #programPath: string;
  readonly #isNeeded: boolean;
  #program: Program | undefined;
  #onWait = () => {};

  /** The program is the shim's. */
  constructor(programPath: string, kernelsMicros = tickMicros()) {
    this.#programPath = programPath;
    this.#isNeeded = kernelsMicros > beatMicros;
  }

  /** Tells when somebody on the machine waits for a processor, once after each round without contention. */
  listen(onWait: () => void): void {
    this.#onWait = onWait;
  }

  /** Called at least once a second while any container runs, and with none when the last has ended. */
  follow({ running, isContended }: Round): void {
    // One alone has nobody to keep waiting, and loses nothing.
    if (running < 2) this.close();
    else if (!isContended) this.#ask('watch');
    else if (this.#isNeeded) this.#ask('beat');
  }

  close(): void {
    const program = this.#program;
    this.#program = undefined;
    if (program === undefined) return;
    closeSync(program.writeFd);
    program.output.destroy();
    if (program.pid !== undefined) reapInBackground(program.pid);
  }

  #ask(wanted: keyof typeof asks): void {
    this.#program ??= this.#start();
    const { pid, writeFd } = this.#program;
    if (pid === undefined) return;
    try {
      writeSync(writeFd, asks[wanted]);
    } catch (error) {
      if (!hasErrno(error, 'EPIPE')) throw error;
      if (reapChild(pid)) this.#program.pid = undefined;
    }
  }

  #start(): Program {
    const [input, output] = [makePipe(), makePipe()];
    const opened = [input.readFd, output.writeFd];
    try {
      const nullFd = openSync('/dev/null', constants.O_RDWR);
      opened.push(nullFd);
      const programFd = openSync(this.#programPath, constants.O_RDONLY);
      opened.push(programFd);
      const pid = spawn(programFd, ['corten-beat'], [input.readFd, output.writeFd, nullFd]);
      return { pid, writeFd: input.writeFd, output: this.#reading(output.readFd) };
    } catch (error) {
      closeSync(input.writeFd);
      closeSync(output.readFd);
      throw error;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  #reading(fd: number): Socket {
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('data', () => this.#onWait());
    // A read that fails says no more than that it has ended, which the next ask finds out.
    socket.on('error', () => {});
    return socket.unref();
  }
}
