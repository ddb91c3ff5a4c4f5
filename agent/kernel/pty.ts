/** Pseudo-terminals of one devpts instance (pts(4), ioctl_tty(2)). */
import { closeSync, constants, fstatSync } from 'node:fs';
import { O_CLOEXEC, openat2, Resolve, splitDevice } from './files.ts';
import { hasErrno, libcCall } from './libc.ts';
import { filesystemMagic } from './procfs.ts';

const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const TIOCSWINSZ = 0x5414;
const DEVPTS_SUPER_MAGIC = 0x1cd1;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);
const ioctlNumber = libcCall('ioctl', ['int', 'ulong', 'long']);

export interface Terminal {
  masterFd: number;
  slaveFd: number;
}

/**
 * Opens a terminal of the devpts mounted at `devptsFd`. The slave is opened through the master (TIOCGPTPEER) and not
 * by a path, and the multiplexer is verified, so that no file of a container can replace it (CVE-2025-52565).
 */
export function openTerminal(devptsFd: number): Terminal {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const resolve = Resolve.beneath | Resolve.noXdev | Resolve.noSymlinks | Resolve.noMagicLinks;
  const masterFd = openat2(devptsFd, 'ptmx', flags, resolve);
  try {
    const { rdev } = fstatSync(masterFd);
    const { major, minor } = splitDevice(rdev);
    if (major !== 5 || minor !== 2 || filesystemMagic(masterFd) !== DEVPTS_SUPER_MAGIC)
      throw new Error('/dev/pts/ptmx is not a terminal multiplexer');
    ioctlMemory('unlock terminal', masterFd, TIOCSPTLCK, Buffer.alloc(4));
    const slaveFlags = flags | O_CLOEXEC;
    return { masterFd, slaveFd: ioctlNumber('open terminal', masterFd, TIOCGPTPEER, slaveFlags) };
  } catch (error) {
    closeSync(masterFd);
    throw error;
  }
}

/** Sets the terminal's size in characters; its foreground processes get SIGWINCH. */
export function resizeTerminal(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  try {
    ioctlMemory('terminal size', fd, TIOCSWINSZ, size);
  } catch (error) {
    // EIO means that no process has the terminal open any more.
    if (!hasErrno(error, 'EIO')) throw error;
  }
}
