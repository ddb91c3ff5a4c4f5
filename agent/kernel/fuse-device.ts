/** Opens /dev/fuse (fuse(4)): the kernel sends the requests of a file system to a descriptor. */
import { closeSync, constants, openSync } from 'node:fs';
import { unthrownCall } from './libc.ts';
import { MountAttribute, newFilesystem } from './mount.ts';

const readCall = unthrownCall('read', ['int', 'void *', 'size_t'], 'long');
const writeCall = unthrownCall('write', ['int', 'void *', 'size_t'], 'long');

export interface FuseMount {
  /** Descriptor for requests and replies. The mount ends when its last copy is closed. */
  deviceFd: number;
  /** The detached mount, which is also a descriptor of its root directory. */
  mountFd: number;
}

/**
 * Creates the file system and starts its INIT request. Nothing may access it before that is answered, and the
 * answering thread never. Set-user-ID programs and devices in the folder have no effect, because its owner is not
 * root of this machine.
 */
export function mountFuse(source: string, isReadOnly: boolean): FuseMount {
  const deviceFd = openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const attributes = MountAttribute.noSuid | MountAttribute.noDev;
    const mountFd = newFilesystem(
      'fuse',
      [
        ['fd', String(deviceFd)],
        ['rootmode', '40000'],
        ['user_id', '0'],
        ['group_id', '0'],
        ['allow_other'],
        ['subtype', 'corten'],
      ],
      attributes | (isReadOnly ? MountAttribute.readOnly : 0),
      source,
    );
    return { deviceFd, mountFd };
  } catch (error) {
    closeSync(deviceFd);
    throw error;
  }
}

/** Reads one request. Returns its length or a negative errno: EAGAIN for none, ENODEV after the unmount. */
export function readDevice(fd: number, buffer: Buffer): number {
  return readCall(fd, buffer, buffer.length);
}

/**
 * Writes one reply or notification. ENOENT means that the requester has gone, or that the notified entry is not
 * cached.
 */
export function writeDevice(fd: number, bytes: Buffer): number {
  return writeCall(fd, bytes, bytes.length);
}
