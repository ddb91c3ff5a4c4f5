/** Changes mounted ext4 file systems, and reads the superblock of unmounted ones. */
import { openSync, readSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { O_DIRECTORY, oneName, openat2, withFd } from './files.ts';
import { libcCall } from './libc.ts';

/** _IOW('f', 16, __u64) */
const EXT4_IOC_RESIZE_FS = 0x40086610;
const superblockOffset = 1024;
const EXT4_SUPER_MAGIC = 0xef53;
const magicAt = 0x38;
const readOnlyFeaturesAt = 0x64;
/** EXT4_FEATURE_RO_COMPAT_PROJECT */
const projectFeature = 0x2000;

export const ext4BlockBytes = 4096;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);

/**
 * Grows a mounted file system, which stays in use, to `bytes`; its device must have grown before. Throws EPERM
 * without CAP_SYS_RESOURCE.
 */
export function growExt4(mountFd: number, bytes: number): void {
  const blocks = Buffer.alloc(8);
  blocks.writeBigUInt64LE(BigInt(Math.floor(bytes / ext4BlockBytes)));
  withFd(openat2(mountFd, '.', O_DIRECTORY, oneName), (fd) => {
    ioctlMemory('grow ext4', fd, EXT4_IOC_RESIZE_FS, blocks);
  });
}

/**
 * Reserves blocks of a mounted file system, which then nobody can use, root included (ext4.rst, `reserved_clusters`).
 * The reserve ends with the mount.
 */
export function reserveExt4Blocks(blockDevice: string, blocks: number): void {
  writeFileSync(`/sys/fs/ext4/${blockDevice}/reserved_clusters`, String(blocks));
}

/** Counters of an unmounted file system, which the kernel writes at the unmount. */
export interface Ext4Counts {
  /** Blocks without the file system's own, as statfs(2) counts them. */
  blocks: number;
  freeBlocks: number;
  inodes: number;
  freeInodes: number;
}

/** Reads the superblock of an image (ext4/super.rst). Throws when the image was not created by Corten. */
export function readExt4Counts(path: string): Ext4Counts {
  const block = superblockOf(path);
  if (block.readUInt16LE(magicAt) !== EXT4_SUPER_MAGIC)
    throw Object.assign(new Error(`${path} holds no ext4 file system`), {
      code: 'EUCLEAN',
      errno: constants.errno.EINVAL,
    });
  const wide = (low: number, high: number) =>
    block.readUInt32LE(high) * 2 ** 32 + block.readUInt32LE(low);
  return {
    blocks: wide(0x4, 0x150) - block.readUInt32LE(0x248),
    freeBlocks: wide(0xc, 0x158),
    inodes: block.readUInt32LE(0),
    freeInodes: block.readUInt32LE(0x10),
  };
}

/** Whether the image has the feature for project quotas (mke2fs(8), `project`). */
export function hasExt4Projects(path: string): boolean {
  return (superblockOf(path).readUInt32LE(readOnlyFeaturesAt) & projectFeature) !== 0;
}

function superblockOf(path: string): Buffer {
  const block = Buffer.alloc(1024);
  withFd(openSync(path, 'r'), (fd) => readSync(fd, block, 0, block.length, superblockOffset));
  return block;
}
