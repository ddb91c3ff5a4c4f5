/**
 * Loop devices (loop(4)): a file as a block device. They are bound with autoclear, so that a device is freed when it
 * is neither open nor mounted, even after a crash.
 */
import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { O_CLOEXEC } from './files.ts';
import { hasErrno, libcCall } from './libc.ts';

const LOOP_SET_CAPACITY = 0x4c07;
const LOOP_GET_STATUS64 = 0x4c05;
const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;

// The struct loop_config has fd, block_size, loop_info64 (232 bytes) and 8 reserved words.
const configBytes = 304;
const infoOffset = 8;
const infoBytes = 232;
const flagsOffset = infoOffset + 52;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);
const ioctlNumber = libcCall('ioctl', ['int', 'ulong', 'long']);

export const loopPath = (number: number) => `/dev/loop${number}`;

/** File of a bound device, as stat(2) identifies it. */
export interface LoopFile {
  device: bigint;
  inode: bigint;
}

const isSame = (one: LoopFile, other: LoopFile) =>
  one.device === other.device && one.inode === other.inode;

export function fileOf(fd: number): LoopFile {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return { device: dev, inode: ino };
}

export interface OpenLoop {
  number: number;
  /** Descriptor of the device, which is freed when the last one is closed and nothing is mounted from it. */
  fd: number;
}

/**
 * Binds a file that is open for reading and writing to a free device. Direct I/O avoids caching the data twice; on a
 * file system without it the kernel uses buffered I/O.
 */
export function bindLoop(fileFd: number): OpenLoop {
  const control = openSync('/dev/loop-control', constants.O_RDWR);
  try {
    for (let attempt = 0; ; attempt++) {
      const number = ioctlNumber('/dev/loop-control', control, LOOP_CTL_GET_FREE, 0);
      const fd = openSync(loopPath(number), constants.O_RDWR | O_CLOEXEC);
      try {
        ioctlMemory(loopPath(number), fd, LOOP_CONFIGURE, configOf(fileFd));
        return { number, fd };
      } catch (error) {
        closeSync(fd);
        // Another program took the same free device first.
        if (!hasErrno(error, 'EBUSY') || attempt === 64) throw error;
      }
    }
  } finally {
    closeSync(control);
  }
}

function configOf(fileFd: number): Buffer {
  const config = Buffer.alloc(configBytes);
  config.writeUInt32LE(fileFd, 0);
  config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, flagsOffset);
  return config;
}

/** Opens a device if it is bound to this file; it stays bound while it is open. */
export function openLoopOf(number: number, file: LoopFile): OpenLoop | undefined {
  const opened = openBound(number);
  if (opened === undefined) return undefined;
  if (isSame(opened.file, file)) return { number, fd: opened.fd };
  closeSync(opened.fd);
  return undefined;
}

function openBound(number: number): { fd: number; file: LoopFile } | undefined {
  let fd: number;
  try {
    fd = openSync(loopPath(number), constants.O_RDWR | O_CLOEXEC);
  } catch (error) {
    // The device was removed or is being cleared.
    if (hasErrno(error, 'ENOENT', 'ENXIO', 'EBUSY')) return undefined;
    throw error;
  }
  try {
    const info = Buffer.alloc(infoBytes);
    ioctlMemory(loopPath(number), fd, LOOP_GET_STATUS64, info);
    return { fd, file: { device: info.readBigUInt64LE(0), inode: info.readBigUInt64LE(8) } };
  } catch (error) {
    closeSync(fd);
    // The device is not bound.
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** All bound devices of the machine with their files. */
export function boundLoops(): { number: number; file: LoopFile }[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const number = Number(/^loop(\d+)$/.exec(name)?.[1]);
    // Only bound devices have this directory, so the others need not be opened.
    if (Number.isNaN(number) || !isBound(name)) return [];
    const opened = openBound(number);
    if (opened === undefined) return [];
    closeSync(opened.fd);
    return [{ number, file: opened.file }];
  });
}

function isBound(name: string): boolean {
  return readdirSync(`/sys/block/${name}`).includes('loop');
}

/** Device of a file that is open for reading and writing: the bound one, or else a free one. */
export function loopOf(fileFd: number): OpenLoop {
  const file = fileOf(fileFd);
  const bound = boundLoops().find((loop) => isSame(loop.file, file));
  return (bound && openLoopOf(bound.number, file)) ?? bindLoop(fileFd);
}

/** Grows a device to the size of its file. */
export function growLoop({ number, fd }: OpenLoop): void {
  ioctlNumber(loopPath(number), fd, LOOP_SET_CAPACITY, 0);
}
