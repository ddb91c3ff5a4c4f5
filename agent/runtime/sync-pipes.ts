/**
 * Pipes at which the shim's child waits for the runtime (runc: sync pipes), in the order in which
 * it reaches them.
 */
import { closeSync, writeSync } from 'node:fs';
import { withFd } from '../kernel/files.ts';
import { makePipe } from '../kernel/pipe.ts';
import { openProcess, takeDescriptor } from '../kernel/process.ts';
import type { Waiting } from './alive-watch.ts';

type Work = (waiting: Waiting) => Promise<void> | void;

export class SyncPipes {
  /** The callbacks for the plan (start-process.ts). */
  readonly all: Work[] = [];
  readonly #fds: number[] = [];

  /** Adds a gate that opens once `work` is done. Returns the read end for the child. */
  add(work: Work): number {
    const { readFd, writeFd } = makePipe();
    this.#fds.push(readFd, writeFd);
    this.all.push(async (waiting) => {
      await work(waiting);
      writeSync(writeFd, '\n');
    });
    return readFd;
  }

  /** Ends a child that still waits. */
  close(): void {
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }
}

/**
 * After a child has loaded a notifying seccomp filter, the word of its report is the listener's
 * descriptor number.
 */
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
