/** /dev/fuse (fuse(4)): a file system whose kernel side asks a descriptor of ours for everything. */
import { closeSync, constants, openSync } from 'node:fs';
import { unthrownCall } from './libc.ts';
import { MountAttribute, newFilesystem } from './mount.ts';

const readCall = unthrownCall('read', ['int', 'void *', 'size_t'], 'long');
const writeCall = unthrownCall('write', ['int', 'void *', 'size_t'], 'long');

export interface FuseMount {
  /** Where the kernel's questions are read and answered. The mount ends with its last copy. */
  deviceFd: number;
  /** The mount, attached nowhere yet; also a directory descriptor of its root. */
  mountFd: number;
}

/**
 * Makes the file system and starts its INIT exchange. Nothing of it may be touched before that is
 * answered, nor ever by the thread that answers. Set-user-id programs and devices in the folder mean
 * nothing: whoever owns it is not this machine's root.
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

/** One question; its length, or errno's negative. EAGAIN: none; ENODEV: it was unmounted. */
export function readDevice(fd: number, buffer: Buffer): number {
  return readCall(fd, buffer, buffer.length);
}

/** One answer or notice. ENOENT: whoever asked has gone, or what the notice names is not cached. */
export function writeDevice(fd: number, bytes: Buffer): number {
  return writeCall(fd, bytes, bytes.length);
}
