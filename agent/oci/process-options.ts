/** Common options of `create`, `run` and `exec`: stdio, terminal and PID file. */
import { closeSync, renameSync, writeFileSync } from 'node:fs';
import { invalid } from '../errors.ts';
import { sendDescriptor } from '../kernel/unix-socket.ts';
import { type Call, type Options, textOf } from './command-line.ts';
import { type PreservedFds, readPreservedFds } from './preserved-fds.ts';

export const processOptions = {
  'console-socket': { type: 'string' },
  'pid-file': { type: 'string' },
  'preserve-fds': { type: 'string' },
} as const satisfies Options;

export interface ProcessPlace {
  consoleSocket: string | undefined;
  pidFile: string | undefined;
  preservedFds: PreservedFds;
}

export function processPlace(call: Call, warn: (text: string) => void): ProcessPlace {
  return {
    consoleSocket: textOf(call, 'console-socket'),
    pidFile: textOf(call, 'pid-file'),
    preservedFds: readPreservedFds(call, warn),
  };
}

/** Checks before any other step that somebody gets the terminal. Throws invalid. */
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

/** Sends the terminal to a socket. Closes the descriptor in any case. Throws invalid. */
export function handTerminalOver(terminalFd: number, socketPath: string): void {
  try {
    sendDescriptor(socketPath, terminalFd, '/dev/ptmx');
  } catch (error) {
    throw invalid(`the terminal cannot be sent to --console-socket ${socketPath}`, error);
  } finally {
    closeSync(terminalFd);
  }
}

/** Writes a PID file by a rename, so that a waiting reader never sees half of it. */
export function writePidFile(path: string, pid: number): void {
  writeFileSync(`${path}.new`, String(pid));
  renameSync(`${path}.new`, path);
}
