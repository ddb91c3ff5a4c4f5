/**
 * Loop devices (loop(4)): a file as a block device. They are bound with autoclear, so that a device
 * ends by itself once nobody has it open or mounted; there is nothing to undo after a crash.
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

// struct loop_config: fd, block_size, loop_info64 (232 bytes), 8 reserved words.
const configBytes = 304;
const infoOffset = 8;
const infoBytes = 232;
const flagsOffset = infoOffset + 52;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);
const ioctlNumber = libcCall('ioctl', ['int', 'ulong', 'long']);

export const loopPath = (number: number) => `/dev/loop${number}`;

/** What a bound device is made of, as `stat(2)` names the file. */
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
  /** Holds the device; once the last is closed and nothing is mounted from it, it is free again. */
  fd: number;
}

/**
 * Binds a file that is open for reading and writing to a free device. Direct I/O keeps what is
 * cached of the file from being cached twice; where the file system below has none, the kernel goes
 * on without it.
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
        // Somebody else on the machine took the same free device a moment earlier.
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

/** Opens a device if it is bound to that very file; while it is open it stays so. */
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
    // It was removed, or it is being cleared just now.
    if (hasErrno(error, 'ENOENT', 'ENXIO', 'EBUSY')) return undefined;
    throw error;
  }
  try {
    const info = Buffer.alloc(infoBytes);
    ioctlMemory(loopPath(number), fd, LOOP_GET_STATUS64, info);
    return { fd, file: { device: info.readBigUInt64LE(0), inode: info.readBigUInt64LE(8) } };
  } catch (error) {
    closeSync(fd);
    // Bound to nothing.
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Every bound device of the machine with its file. */
export function boundLoops(): { number: number; file: LoopFile }[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const number = Number(/^loop(\d+)$/.exec(name)?.[1]);
    // Only bound ones have this directory; the others need not be opened.
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

/** The device of a file that is open for reading and writing: the one that it is bound to, or a free one. */
export function loopOf(fileFd: number): OpenLoop {
  const file = fileOf(fileFd);
  const bound = boundLoops().find((loop) => isSame(loop.file, file));
  return (bound && openLoopOf(bound.number, file)) ?? bindLoop(fileFd);
}

/** Makes a device as large as its file has become. */
export function growLoop({ number, fd }: OpenLoop): void {
  ioctlNumber(loopPath(number), fd, LOOP_SET_CAPACITY, 0);
}
