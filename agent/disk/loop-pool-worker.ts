/**
 * Binds and mounts new images on a thread of its own: both wait for the disk, which would block the main thread.
 * Descriptors belong to the process, so only their numbers are sent back. No other thread knows an image before the
 * reply, so nobody else can bind it.
 */
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { bindLoop } from '../kernel/loop.ts';
import { mountLoop } from './loop-mount.ts';

export type PoolRequest = { image: string };
export type PoolReply =
  | { image: string; loopNumber: number; mountFd: number }
  | { image: string; failure: string };

parentPort?.on('message', ({ image }: PoolRequest) => {
  parentPort?.postMessage(mounted(image));
});

function mounted(image: string): PoolReply {
  let fileFd: number | undefined;
  try {
    fileFd = openSync(image, 'r+');
    const loop = bindLoop(fileFd);
    try {
      const mountFd = mountLoop(loop.number);
      warm(mountFd);
      return { image, loopNumber: loop.number, mountFd };
    } finally {
      // The mount holds the device, and the device its file.
      closeSync(loop.fd);
    }
  } catch (error) {
    return { image, failure: error instanceof Error ? error.message : String(error) };
  } finally {
    if (fileFd !== undefined) closeSync(fileFd);
  }
}

/**
 * Creates and removes files: the first file in a directory makes the kernel read bitmaps, inode tables and the
 * directory. An overlay creates some at its start, which would wait for this.
 */
function warm(mountFd: number): void {
  for (const name of readdirSync(`/proc/self/fd/${mountFd}`)) {
    if (name === 'lost+found') continue;
    const place = join(`/proc/self/fd/${mountFd}`, name, '.warm');
    mkdirSync(place);
    writeFileSync(join(place, 'file'), 'x');
    rmSync(place, { recursive: true });
  }
}
