/** The agent's ends of a process's stdio as Node streams. Each stream owns its descriptor. */
import { Socket } from 'node:net';
import { ReadStream as TerminalStream } from 'node:tty';
import type { ProcessStdio } from '../../runtime/runtime.ts';

export interface ProcessStreams {
  stdin: Socket | undefined;
  stdout: Socket | undefined;
  stderr: Socket | undefined;
}

/** Takes the descriptors out of `stdio`. The master of a terminal is stdin and stdout at once. */
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

/** Closes the streams of a process that was not started. */
export function closeStreams({ stdin, stdout, stderr }: ProcessStreams): void {
  for (const stream of [stdin, stdout, stderr]) stream?.destroy();
}

// This is a socket and not a file stream, because files share a pool of four threads, and four
// processes that do not read their stdin would block all file access of the agent.
function pipe(
  fd: number | undefined,
  direction: { readable: boolean; writable: boolean },
): Socket | undefined {
  return fd === undefined ? undefined : quiet(new Socket({ fd, ...direction }));
}

/**
 * EPIPE means that the process closed its stdin; EIO that the last user of a terminal is gone
 * (pty(7)), which is its end of file. Both are followed by `close`, which readers and writers
 * handle.
 */
function quiet<S extends Socket>(stream: S): S {
  stream.on('error', () => {});
  return stream;
}
