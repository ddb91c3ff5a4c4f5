/**
 * Reseeds the random numbers of a process and a kernel whose memory may have been saved and resumed before. Node uses
 * its OpenSSL, which derives many numbers from one seed; OpenSSL's functions are in node's program.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import koffi from 'koffi';
import { hasErrno, libcCall } from './libc.ts';

/** Makes the kernel's generator take a new seed from its pool (random(4)). */
const RNDRESEEDCRNG = 0x5207;

const ioctlCall = libcCall('ioctl', ['int', 'ulong', 'long']);
const self = koffi.load(null);
/** Returns 1 when the main generator has a new seed, which the derived ones follow (RAND_bytes(3)). */
const randPoll = self.func('RAND_poll', 'int', []);
const randSeed = self.func('RAND_seed', 'void', ['void *', 'int']);

/**
 * The host's device may have buffered bytes since before the memory was saved, but fewer than this, so the rest is
 * new (drivers/char/hw_random).
 */
const deviceBytes = 256;

/** Reseeds the kernel's generator and then OpenSSL's from it. Needs CAP_SYS_ADMIN. */
export function drawNewRandomness(): void {
  const fromHost = readHostRandomness();
  const kernel = openSync('/dev/urandom', 'r+');
  try {
    // The bytes are mixed in and not credited as entropy.
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
    // Without the device the kernel's own sources are used.
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
    // The node may exist without a device behind it.
    if (hasErrno(error, 'ENODEV', 'EIO', 'EAGAIN')) return undefined;
    throw error;
  } finally {
    closeSync(device);
  }
}
