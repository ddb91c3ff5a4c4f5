/** What `create`, `run` and `exec` have in common: where stdio, the terminal and the pid go. */
import { closeSync, fstatSync, renameSync, writeFileSync } from 'node:fs';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { sendDescriptor } from '../kernel/unix-socket.ts';
import { type Call, numberOf, type Options, textOf } from './command-line.ts';

export const processOptions = {
  'console-socket': { type: 'string' },
  'pid-file': { type: 'string' },
  'preserve-fds': { type: 'string' },
} as const satisfies Options;

export interface ProcessPlace {
  consoleSocket: string | undefined;
  pidFile: string | undefined;
  /** The caller's 3 and on, which the program gets too. */
  handOnFds: number[];
}

export function processPlace(call: Call): ProcessPlace {
  const count = numberOf(call, 'preserve-fds') ?? 0;
  if (count < 0 || count > 1000) throw invalid(`--preserve-fds takes 0 to 1000, not ${count}`);
  const handOnFds = Array.from({ length: count }, (_, index) => 3 + index);
  for (const fd of handOnFds) checkOpen(fd, count);
  return {
    consoleSocket: textOf(call, 'console-socket'),
    pidFile: textOf(call, 'pid-file'),
    handOnFds,
  };
}

function checkOpen(fd: number, count: number): void {
  try {
    fstatSync(fd);
  } catch (error) {
    if (hasErrno(error, 'EBADF'))
      throw invalid(`--preserve-fds=${count}, but descriptor ${fd} is not open`, error);
    throw error;
  }
}

/** Who gets the terminal has to be known before anything is made. Throws invalid. */
export function checkConsole(
  terminal: boolean | undefined,
  consoleSocket: string | undefined,
  detached: boolean,
): void {
  if (!terminal && consoleSocket !== undefined)
    throw invalid('--console-socket was given, but process.terminal is not set');
  if (terminal && consoleSocket === undefined && detached)
    throw invalid('process.terminal is set, so --console-socket must say who gets the terminal');
}

/** Closes the descriptor, whatever happens. */
export function handTerminalOver(terminalFd: number, socketPath: string): void {
  try {
    sendDescriptor(socketPath, terminalFd, '/dev/ptmx');
  } catch (error) {
    throw invalid(`the terminal cannot be sent to --console-socket ${socketPath}`, error);
  } finally {
    closeSync(terminalFd);
  }
}

/** Renamed into place: whoever waits for the file never reads half of it. */
export function writePidFile(path: string, pid: number): void {
  writeFileSync(`${path}.new`, String(pid));
  renameSync(`${path}.new`, path);
}
