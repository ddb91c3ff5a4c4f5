/**
 * New randomness for a process and a kernel whose memory may have been used before. Node asks its
 * OpenSSL, which stretches one seed for a long time; OpenSSL's own functions are in node's program.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { hasErrno, libcCall } from './libc.ts';

/** random(4): the kernel's generator takes a new seed from its pool now. */
const RNDRESEEDCRNG = 0x5207;

const ioctlCall = libcCall('ioctl', ['int', 'ulong', 'long']);
const self = koffi.load(null);
/** RAND_bytes(3): 1 when the main generator has a new seed; those made from it follow by themselves. */
const randPoll = self.func('RAND_poll', 'int', []);
const randSeed = self.func('RAND_seed', 'void', ['void *', 'int']);

/**
 * What the host's device has ready may have been fetched before the memory was saved; it holds less
 * than this, so the rest is drawn now (drivers/char/hw_random).
 */
const deviceBytes = 256;

/** First the kernel's generator, then, from it, OpenSSL's. Needs CAP_SYS_ADMIN. */
export function drawNewRandomness(): void {
  const fromHost = readHostRandomness();
  const kernel = openSync('/dev/urandom', 'r+');
  try {
    // Mixed in, and trusted as little as any other input.
    if (fromHost !== undefined) writeSync(kernel, fromHost);
    ioctlCall('RNDRESEEDCRNG', kernel, RNDRESEEDCRNG, 0);
  } finally {
    closeSync(kernel);
  }
  if (fromHost !== undefined) randSeed(fromHost, fromHost.length);
  if (randPoll() !== 1) throw new Error('OpenSSL could not take a new seed');
}

function readHostRandomness(): Buffer | undefined {
  let device: number;
  try {
    device = openSync('/dev/hwrng', 'r');
  } catch (error) {
    // The kernel's own sources must do.
    if (hasErrno(error, 'ENOENT', 'ENODEV', 'ENXIO', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(deviceBytes);
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(device, bytes, length, bytes.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return bytes.subarray(0, length);
  } catch (error) {
    // The device's node may be there without a device behind it.
    if (hasErrno(error, 'ENODEV', 'EIO', 'EAGAIN')) return undefined;
    throw error;
  } finally {
    closeSync(device);
  }
}
