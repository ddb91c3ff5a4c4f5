/**
 * Binds and mounts new images on a thread of its own: both wait for the disk, and the agent's main
 * thread must not. Descriptors are the process's, so only their numbers go back. No other thread knows
 * of an image before its answer, so nobody else can bind it.
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
 * The first file in a directory makes the kernel read bitmaps, inode tables and the directory itself;
 * an overlay makes some at its start. Here nobody waits for it.
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
