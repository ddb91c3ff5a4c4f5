/** Gates at which the shim's child waits for work of ours, in the order in which it comes to them. */
import { closeSync, writeSync } from 'node:fs';
import { withFd } from '../kernel/files.ts';
import { makePipe } from '../kernel/pipe.ts';
import { openProcess, takeDescriptor } from '../kernel/process.ts';
import type { Waiting } from './alive-watch.ts';

type Work = (waiting: Waiting) => Promise<void> | void;

export class SyncPipes {
  /** For the plan (start-process.ts). */
  readonly all: Work[] = [];
  readonly #fds: number[] = [];

  /** Opened once `work` is done. Returns what the child is to read from. */
  add(work: Work): number {
    const { readFd, writeFd } = makePipe();
    this.#fds.push(readFd, writeFd);
    this.all.push(async (waiting) => {
      await work(waiting);
      writeSync(writeFd, '\n');
    });
    return readFd;
  }

  /** Whoever still waits at one ends. */
  close(): void {
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }
}

/** The word of a child that has just loaded a seccomp filter is the number of its listener. */
export async function takeListener(
  { pid, word }: Waiting,
  use: (pid: number, listenerFd: number) => Promise<void> | void,
): Promise<void> {
  const listener = withFd(openProcess(pid), (pidfd) => takeDescriptor(pidfd, word));
  try {
    await use(pid, listener);
  } finally {
    closeSync(listener);
  }
}
