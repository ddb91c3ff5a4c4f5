/**
 * The mount API by descriptors: fsopen(2), fsmount(2), open_tree(2), move_mount(2), mount_setattr(2). A mount is
 * created detached, configured, and then attached to a descriptor that was resolved once.
 */
import { closeSync } from 'node:fs';
import { AT_FDCWD } from './files.ts';
import { libcCall, systemCall } from './libc.ts';

const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const OPEN_TREE_CLOEXEC = 0o2000000;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x04;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
const MNT_DETACH = 2;
const FsConfig = { setFlag: 0, setString: 1, create: 6 } as const;

/** MOUNT_ATTR_* of mount_setattr(2). */
export const MountAttribute = {
  readOnly: 0x01,
  noSuid: 0x02,
  noDev: 0x04,
  noExec: 0x08,
  noAtime: 0x10,
  strictAtime: 0x20,
  /** Mask of the three modes of access times; relatime is 0. */
  atime: 0x70,
  noDirAtime: 0x80,
  noSymFollow: 0x200000,
} as const;

const MOUNT_ATTR_IDMAP = 0x100000;

/** MS_* propagation types of mount(2). */
export const Propagation = {
  unbindable: 1n << 17n,
  private: 1n << 18n,
  slave: 1n << 19n,
  shared: 1n << 20n,
} as const;

// Numbers from 424 on are the same on every architecture; only pivot_root differs.
const fsopenCall = systemCall('fsopen', 430, ['str', 'uint']);
const fsconfigCall = systemCall('fsconfig', 431, ['int', 'uint', 'str', 'str', 'int']);
const fsmountCall = systemCall('fsmount', 432, ['int', 'uint', 'uint']);
const openTreeCall = systemCall('open_tree', 428, ['int', 'str', 'uint']);
const moveMountCall = systemCall('move_mount', 429, ['int', 'str', 'int', 'str', 'uint']);
const mountSetattrCall = systemCall('mount_setattr', 442, [
  'int',
  'str',
  'uint',
  'void *',
  'size_t',
]);
const pivotRootNumber: Partial<Record<string, number>> = { x64: 155, arm64: 41 };
const pivotRootCall = systemCall('pivot_root', pivotRootNumber[process.arch] ?? -1, ['str', 'str']);
const mountCall = libcCall('mount', ['str', 'str', 'str', 'ulong', 'str']);
const umount2Call = libcCall('umount2', ['str', 'int']);
const fchdirCall = libcCall('fchdir', ['int']);
const chdirCall = libcCall('chdir', ['str']);
const readCall = libcCall('read', ['int', 'void *', 'size_t'], 'long');

/** Parameters of a file system in order; a name without a value is a flag. */
export type FilesystemOption = readonly [name: string, value?: string];

/**
 * Creates a detached mount of a new file system instance and returns its descriptor. Throws with the kernel's message
 * (fsopen(2), "Message retrieval interface").
 */
export function newFilesystem(
  type: string,
  options: readonly FilesystemOption[],
  attributes: number,
  source?: string,
): number {
  const context = fsopenCall(type, type, FSOPEN_CLOEXEC);
  try {
    const all = source === undefined ? options : [['source', source] as const, ...options];
    for (const [name, value] of all) {
      const command = value === undefined ? FsConfig.setFlag : FsConfig.setString;
      fsconfigCall(`${type} ${name}`, context, command, name, value ?? null, 0);
    }
    fsconfigCall(type, context, FsConfig.create, null, null, 0);
    return fsmountCall(type, context, FSMOUNT_CLOEXEC, attributes);
  } catch (error) {
    if (error instanceof Error) error.message += kernelMessages(context);
    throw error;
  } finally {
    closeSync(context);
  }
}

/** Messages of the kernel on a file system context, if any. */
function kernelMessages(context: number): string {
  const lines: string[] = [];
  const buffer = Buffer.alloc(4096);
  try {
    for (let length = 1; length > 0 && lines.length < 16; ) {
      length = readCall('fscontext', context, buffer, buffer.length);
      lines.push(
        buffer
          .toString('utf8', 0, length)
          .replace(/^[eiw] /, '')
          .trim(),
      );
    }
  } catch {
    // ENODATA means that there is no further message.
  }
  return lines.length === 0 ? '' : ` (${lines.join('; ')})`;
}

/** Creates a detached copy of the mount of `fd`, from `fd` on; if recursive, with the mounts below it. */
export function cloneMount(fd: number, recursive: boolean, subject?: string): number {
  const flags =
    AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  return openTreeCall(subject, fd, '', flags);
}

/** Does the same for a directory of the machine. */
export function cloneMountAt(path: string): number {
  return openTreeCall(path, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

/** Attaches a detached mount at the target; no link is followed. */
export function attachMountIn(treeFd: number, directoryFd: number, name: string): void {
  moveMountCall(name, treeFd, '', directoryFd, name, MOVE_MOUNT_F_EMPTY_PATH);
}

/** Attaches a detached mount at the target; no link is followed. */
export function attachMount(treeFd: number, targetFd: number, subject?: string): void {
  const flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  moveMountCall(subject, treeFd, '', targetFd, '', flags);
}

export interface MountChange {
  set?: number;
  clear?: number;
  propagation?: bigint;
  recursive?: boolean;
  /**
   * User namespace whose IDs the file system's IDs mean (mount_setattr(2), "ID-mapped mounts"). Only for a detached
   * mount; throws EINVAL when the file system does not support it.
   */
  userNamespaceFd?: number;
}

/** Calls mount_setattr(2) on the mount whose root is `fd`. */
export function changeMount(fd: number, change: MountChange, subject?: string): void {
  const flags = AT_EMPTY_PATH | (change.recursive ? AT_RECURSIVE : 0);
  mountSetattrCall(subject, fd, '', flags, mountAttr(change), 32);
}

/** Does the same for the calling thread's root. */
export function changeRootMount(change: MountChange): void {
  mountSetattrCall('/', AT_FDCWD, '/', change.recursive ? AT_RECURSIVE : 0, mountAttr(change), 32);
}

function mountAttr(change: MountChange): Buffer {
  const attr = Buffer.alloc(32);
  const idmap = change.userNamespaceFd === undefined ? 0 : MOUNT_ATTR_IDMAP;
  attr.writeBigUInt64LE(BigInt((change.set ?? 0) | idmap), 0);
  attr.writeBigUInt64LE(BigInt(change.clear ?? 0), 8);
  attr.writeBigUInt64LE(change.propagation ?? 0n, 16);
  attr.writeBigUInt64LE(BigInt(change.userNamespaceFd ?? 0), 24);
  return attr;
}

/**
 * Makes the mount at `rootFd` the root of the calling thread's mount namespace; the old tree stays on top of it until
 * {@link leaveOldRoot} (pivot_root(2), "pivot_root(".", ".")").
 */
export function pivotInto(rootFd: number): void {
  fchdirCall('rootfs', rootFd);
  pivotRootCall('rootfs', '.', '.');
}

/** Detaches the old tree, which waits for an RCU grace period. */
export function leaveOldRoot(): void {
  umount2Call('old root', '.', MNT_DETACH);
  chdirCall('/', '/');
}

/**
 * Detaches the topmost mount at a path, even in use: its users keep it until the last has ended. Throws EINVAL when
 * nothing is mounted there.
 */
export function detachMount(path: string): void {
  umount2Call(path, path, MNT_DETACH);
}

/** Calls mount(2), which creates a file system instance and attaches it at once. Only for what fsopen(2) cannot do. */
export function mountInPlace(source: string, target: string, type: string, data: string): void {
  mountCall(target, source, target, type, 0, data);
}
