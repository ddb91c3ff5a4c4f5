/**
 * Subvolumes of btrfs and their qgroups, which count and limit the content of each (ioctl-btrfs(2), btrfs-quota(5),
 * linux/btrfs.h). The counters are in sysfs (Documentation/ABI/testing/sysfs-fs-btrfs).
 */
import { readFileSync } from 'node:fs';
import { hasErrno, libcCall } from './libc.ts';

const BTRFS_IOC_SUBVOL_CREATE = 0x5000940e;
const BTRFS_IOC_SNAP_DESTROY = 0x5000940f;
const BTRFS_IOC_INO_LOOKUP = 0xd0009412;
const BTRFS_IOC_FS_INFO = 0x8400941f;
const BTRFS_IOC_QGROUP_CREATE = 0x4010942a;
const BTRFS_IOC_QGROUP_LIMIT = 0x8030942b;
const BTRFS_QGROUP_LIMIT_MAX_RFER = 1n;
const BTRFS_FIRST_FREE_OBJECTID = 256n;
/** Value that removes a limit. */
const clearValue = 0xffff_ffff_ffff_ffffn;
/** Size of struct btrfs_ioctl_vol_args and struct btrfs_ioctl_ino_lookup_args. */
const argumentBytes = 4096;
const infoBytes = 1024;

const ioctlMemory = libcCall('ioctl', ['int', 'ulong', 'void *']);

/** Creates a subvolume in the directory of `fd`. */
export function makeSubvolume(fd: number, name: string): void {
  ioctlMemory(name, fd, BTRFS_IOC_SUBVOL_CREATE, named(name));
}

/** Removes a subvolume with its files. Throws ENOTEMPTY when it contains another subvolume. */
export function destroySubvolume(fd: number, name: string): void {
  ioctlMemory(name, fd, BTRFS_IOC_SNAP_DESTROY, named(name));
}

function named(name: string): Buffer {
  const bytes = Buffer.alloc(argumentBytes);
  bytes.write(name, 8);
  return bytes;
}

/** Number of the subvolume of an open file; its qgroup has the same number. */
export function subvolumeOf(fd: number): bigint {
  const bytes = Buffer.alloc(argumentBytes);
  bytes.writeBigUInt64LE(BTRFS_FIRST_FREE_OBJECTID, 8);
  ioctlMemory('subvolume of a directory', fd, BTRFS_IOC_INO_LOOKUP, bytes);
  return bytes.readBigUInt64LE(0);
}

/** Limits a qgroup; zero means not limited. */
export function limitQgroup(fd: number, id: bigint, maxBytes: number): void {
  const bytes = Buffer.alloc(48);
  bytes.writeBigUInt64LE(id, 0);
  bytes.writeBigUInt64LE(BTRFS_QGROUP_LIMIT_MAX_RFER, 8);
  bytes.writeBigUInt64LE(maxBytes === 0 ? clearValue : BigInt(maxBytes), 16);
  ioctlMemory(`limit of qgroup ${id}`, fd, BTRFS_IOC_QGROUP_LIMIT, bytes);
}

/** Removes the qgroup of a removed subvolume. Throws EBUSY while its files are still being freed. */
export function destroyQgroup(fd: number, id: bigint): void {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(id, 8);
  ioctlMemory(`qgroup ${id}`, fd, BTRFS_IOC_QGROUP_CREATE, bytes);
}

/** Directory of the qgroups in sysfs for the file system of `fd`. Throws for other file systems. */
export function qgroupsOf(fd: number): string {
  const info = Buffer.alloc(infoBytes);
  ioctlMemory('btrfs', fd, BTRFS_IOC_FS_INFO, info);
  const uuid = info.toString('hex', 16, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  return `/sys/fs/btrfs/${uuid}/qgroups`;
}

/** Usage of a qgroup in bytes; `undefined` when it does not exist. */
export function readQgroup(
  qgroups: string,
  id: bigint,
): { usedBytes: number; maxBytes: number } | undefined {
  const read = (name: string) => Number(readFileSync(`${qgroups}/0_${id}/${name}`, 'utf8'));
  try {
    return {
      // Data that is written but not yet committed counts too.
      usedBytes: read('referenced') + read('rsv_data'),
      maxBytes: read('max_referenced'),
    };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
