/** A process's ends of stdio as Node streams. Each descriptor gets one stream, which then owns it. */
import { Socket } from 'node:net';
import { ReadStream as TerminalStream } from 'node:tty';
import type { ProcessStdio } from '../../runtime/runtime.ts';

export interface ProcessStreams {
  stdin: Socket | undefined;
  stdout: Socket | undefined;
  stderr: Socket | undefined;
}

/** Takes the descriptors out of `stdio`. With a terminal its master is stdin and stdout at once. */
export function openStreams(stdio: ProcessStdio): ProcessStreams {
  const { stdinFd, stdoutFd, stderrFd, terminalFd } = stdio;
  for (const name of ['stdinFd', 'stdoutFd', 'stderrFd', 'terminalFd'] as const) delete stdio[name];
  if (terminalFd !== undefined) {
    const terminal = quiet(new TerminalStream(terminalFd));
    return { stdin: terminal, stdout: terminal, stderr: undefined };
  }
  return {
    stdin: pipe(stdinFd, { readable: false, writable: true }),
    stdout: pipe(stdoutFd, { readable: true, writable: false }),
    stderr: pipe(stderrFd, { readable: true, writable: false }),
  };
}

/** Of a process that there will not be. */
export function closeStreams({ stdin, stdout, stderr }: ProcessStreams): void {
  for (const stream of [stdin, stdout, stderr]) stream?.destroy();
}

// A socket and not a file stream: files are served by a pool of four threads, and four processes
// that do not read their stdin would stop the whole agent's file access.
function pipe(
  fd: number | undefined,
  direction: { readable: boolean; writable: boolean },
): Socket | undefined {
  return fd === undefined ? undefined : quiet(new Socket({ fd, ...direction }));
}

/**
 * EPIPE: the process closed its stdin. EIO: the last user of a terminal is gone (pty(7)), which is
 * its end of file. Both are followed by `close`, which is what their readers and writers act on.
 */
function quiet<S extends Socket>(stream: S): S {
  stream.on('error', () => {});
  return stream;
}
