/**
 * Waiting for a process in the foreground: signals go on to it, a terminal is joined to the
 * caller's, and its exit code becomes the command's.
 */
import { constants } from 'node:os';
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { becomeSubreaper, collectExit, openProcess, signalProcess } from '../kernel/process.ts';
import { resizeTerminal } from '../kernel/pty.ts';

/** Not what is about this command itself, and not what cannot be caught. */
const ownSignals = new Set<string>([
  ...['SIGCHLD', 'SIGKILL', 'SIGSTOP', 'SIGPIPE', 'SIGPROF', 'SIGURG', 'SIGTTIN', 'SIGTTOU'],
  ...['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGWINCH', 'SIGVTALRM'],
]);
const lookMs = 20;

export class Foreground {
  readonly #early: NodeJS.Signals[] = [];
  #deliver = (signal: NodeJS.Signals) => {
    this.#early.push(signal);
  };
  #look = () => {};

  /** Before the process is made: it becomes this one's child, and no signal is lost meanwhile. */
  constructor() {
    becomeSubreaper();
    for (const name of Object.keys(constants.signals) as NodeJS.Signals[])
      if (!ownSignals.has(name)) this.#listen(name);
    process.on('SIGCHLD', () => this.#look());
  }

  /** The process's exit code, or 128 + its signal. Takes the terminal's master over. */
  async wait(pid: number, terminalFd: number | undefined): Promise<number> {
    this.#deliver = (signal) => send(pid, constants.signals[signal]);
    for (const signal of this.#early.splice(0)) this.#deliver(signal);
    const terminal = terminalFd === undefined ? undefined : joinTerminal(terminalFd);
    const code = await this.#collect(pid);
    await terminal?.finish();
    return code;
  }

  #collect(pid: number): Promise<number> {
    return new Promise((resolve) => {
      this.#look = () => {
        const code = collectIfOurs(pid);
        if (code === undefined) return;
        this.#look = () => {};
        clearInterval(timer);
        resolve(code);
      };
      // SIGCHLD tells; the timer keeps the command alive, and asks anew while the shim still leaves.
      const timer = setInterval(() => this.#look(), lookMs);
      this.#look();
    });
  }

  #listen(name: NodeJS.Signals): void {
    try {
      process.on(name, (signal) => this.#deliver(signal));
    } catch (error) {
      // Some names are of other systems, or the kernel's own: nobody sends those.
      if (!hasErrno(error, 'EINVAL')) throw error;
    }
  }
}

/** It is ours once the shim has gone, which is about to happen: SIGCHLD, or the timer, asks again. */
function collectIfOurs(pid: number): number | undefined {
  try {
    return collectExit(pid);
  } catch (error) {
    if (hasErrno(error, 'ECHILD')) return undefined;
    throw error;
  }
}

function send(pid: number, signal: number): void {
  try {
    withFd(openProcess(pid), (pidfd) => signalProcess(pidfd, signal));
  } catch (error) {
    // It has just ended.
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** The caller's terminal becomes raw, so that every key reaches the process's own. */
function joinTerminal(masterFd: number): { finish(): Promise<void> } {
  const master = new ReadStream(masterFd);
  // EIO: the last user of the terminal is gone (pty(7)), which is its end of file.
  const ended = new Promise<void>((resolve) => {
    master.on('error', () => resolve());
    master.on('close', () => resolve());
  });
  const output = process.stdout;
  master.pipe(output, { end: false });
  const input = process.stdin;
  input.pipe(master, { end: false });
  const own = isatty(0) ? (input as ReadStream) : undefined;
  own?.setRawMode(true);
  if (output instanceof WriteStream) {
    const follow = () => resizeTerminal(masterFd, output.rows, output.columns);
    follow();
    output.on('resize', follow);
  }
  return {
    async finish() {
      await ended;
      own?.setRawMode(false);
      input.destroy();
    },
  };
}
