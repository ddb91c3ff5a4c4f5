/**
 * Watches for failed writes to the file of a machine's disk, most often because this computer's own
 * disk is full. QEMU then halts the machine before it sees an error (`werror=stop`), so its file system
 * stays intact. This file tells why, and continues the machine as soon as there is free space again.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DiskHold, Loss } from '../machine/machine.ts';
import type { Qmp } from './qmp.ts';

/** The free space that a retry needs; with less the machine would be halted again at once. */
const neededFreeBytes = 64 * 1024 ** 2;
const pollMs = 1_000;

export interface QemuHold extends DiskHold {
  /** Resolves as soon as the machine is not halted. */
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

  async function continueMachine(): Promise<void> {
    // QEMU repeats the failed write first, and reports it again when it fails again.
    change(undefined);
    await qmp.run('cont').catch(() => {});
  }

  function pollFreeSpace(): void {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (held === undefined) return;
      if (freeBytes(dirname(dataDisk)) >= neededFreeBytes) void continueMachine();
      else pollFreeSpace();
    }, pollMs);
    timer.unref();
  }

  qmp.on('BLOCK_IO_ERROR', ({ action, nospace, reason }) => {
    if (action !== 'stop') return;
    change(nospace === true ? diskFull(dataDisk) : notWritten(dataDisk, String(reason)));
    // Free space can come back by itself; for another error the user has to retry.
    if (nospace === true) pollFreeSpace();
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
    retry: continueMachine,
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

function diskFull(dataDisk: string): Loss {
  return {
    stage: 'disks',
    cause: `This computer's disk is full: a write to the machine’s disk ${dataDisk} failed. The machine is paused, and nothing is lost.`,
    nextStep: 'Free some space on that disk: the machine then continues by itself.',
  };
}

function notWritten(dataDisk: string, reason: string): Loss {
  return {
    stage: 'disks',
    cause: `This computer could not write to the machine's disk ${dataDisk}: ${reason}. The machine is paused, and nothing is lost.`,
    nextStep: 'Check the disk that holds this file, then start the machine again: it continues.',
  };
}

function freeBytesAt(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    // A directory that is gone has no free space.
    return 0;
  }
}
