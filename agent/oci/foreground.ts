/**
 * Runs a process in the foreground: forwards signals, connects its terminal to the caller's, and returns its exit
 * code.
 */
import { constants } from 'node:os';
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { becomeSubreaper, collectExit, openProcess, signalProcess } from '../kernel/process.ts';
import { resizeTerminal } from '../kernel/pty.ts';

/** Signals that are not forwarded: those about this command itself, and those that cannot be caught. */
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

  /** Must be called before the process is created: it makes this process the reaper, and no signal is lost. */
  constructor() {
    becomeSubreaper();
    for (const name of Object.keys(constants.signals) as NodeJS.Signals[])
      if (!ownSignals.has(name)) this.#listen(name);
    process.on('SIGCHLD', () => this.#look());
  }

  /** Resolves with the exit code, or 128 + the signal. Takes the terminal's master over. */
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
      // SIGCHLD announces the end; the timer keeps the command alive, and checks again while the shim still runs.
      const timer = setInterval(() => this.#look(), lookMs);
      this.#look();
    });
  }

  #listen(name: NodeJS.Signals): void {
    try {
      process.on(name, (signal) => this.#deliver(signal));
    } catch (error) {
      // Some names belong to other systems or are reserved by the kernel, and nobody sends those.
      if (!hasErrno(error, 'EINVAL')) throw error;
    }
  }
}

/** The process becomes a child of this one when the shim ends; SIGCHLD or the timer checks again. */
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
    // The process has ended meanwhile.
    if (!hasErrno(error, 'ESRCH')) throw error;
  }
}

/** Sets the caller's terminal to raw mode, so that every key reaches the process. */
function joinTerminal(masterFd: number): { finish(): Promise<void> } {
  const master = new ReadStream(masterFd);
  // EIO means that the last user has closed the terminal (pty(7)), which is its end of file.
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
