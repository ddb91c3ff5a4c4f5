/**
 * A machine whose disk's file this computer could not write, most often because its own disk is full:
 * QEMU holds the machine before it would see an error (`werror=stop`), and its file system stays whole. Here it
 * is said why, and the machine goes on as soon as there is room again.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DiskHold, Loss } from '../machine/machine.ts';
import type { Qmp } from './qmp.ts';

/** What must be free before it is tried again: less would hold it again at once. */
const roomBytes = 64 * 1024 ** 2;
const lookMs = 1_000;

export interface QemuHold extends DiskHold {
  /** Resolves while nothing holds it, and once nothing does any more. */
  over(): Promise<void>;
}

export function watchDisk(qmp: Qmp, dataDisk: string, freeBytes = freeBytesAt): QemuHold {
  let held: Loss | undefined;
  let timer: NodeJS.Timeout | undefined;
  const listeners = new Set<() => void>();

  function change(why: Loss | undefined): void {
    held = why;
    for (const listener of [...listeners]) listener();
  }

  async function goOn(): Promise<void> {
    // What it was held for is done first; if that fails again, QEMU says so again.
    change(undefined);
    await qmp.run('cont').catch(() => {});
  }

  function lookLater(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (held === undefined) return;
      if (freeBytes(dirname(dataDisk)) >= roomBytes) void goOn();
      else lookLater();
    }, lookMs);
    timer.unref();
  }

  qmp.on('BLOCK_IO_ERROR', ({ action, nospace, reason }) => {
    if (action !== 'stop') return;
    change(nospace === true ? noRoom(dataDisk) : notWritten(dataDisk, String(reason)));
    // Only room comes back by itself.
    if (nospace === true) lookLater();
  });
  void qmp.closed.then(() => {
    clearTimeout(timer);
    if (held !== undefined) change(undefined);
  });

  return {
    why: () => held,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    retry: goOn,
    async over() {
      while (held !== undefined) {
        const { promise, resolve } = Promise.withResolvers<void>();
        listeners.add(resolve);
        await promise;
        listeners.delete(resolve);
      }
    },
  };
}

function noRoom(dataDisk: string): Loss {
  return {
    stage: 'disks',
    cause: `This computer's disk is full: what the machine writes to ${dataDisk} found no room. The machine waits as it is, and nothing is lost.`,
    nextStep: 'Make room on that disk: the machine then goes on by itself.',
  };
}

function notWritten(dataDisk: string, reason: string): Loss {
  return {
    stage: 'disks',
    cause: `This computer could not write to the machine's disk ${dataDisk}: ${reason}. The machine waits as it is, and nothing is lost.`,
    nextStep: 'Check the disk that holds this file, then start the machine again: it goes on.',
  };
}

function freeBytesAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    // A disk that is not there has no room.
    return 0;
  }
}
