/**
 * Copies a directory tree by descriptors: fills a new volume with the image's files, and serves other copies of files
 * that a container may change meanwhile. Symbolic links are copied and never followed, so that no content can lead
 * the copy outside.
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
} from 'node:fs';
import { copyFileData } from './copy-file.ts';
import {
  type FileName,
  fchmodat,
  lchownat,
  linkat,
  mkdirat,
  mknodat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  Resolve,
  readlinkBytesAt,
  splitDevice,
  symlinkat,
  utimensat,
  withFd,
} from './files.ts';
import { hasErrno } from './libc.ts';
import { isOverlayAttribute } from './overlay.ts';
import { namesIn } from './remove-tree.ts';
import { getXattr, listXattrs, setXattr } from './xattr.ts';

/** First copy of a file with several names: a directory of the copy, and the name. */
interface FirstCopy {
  directoryFd: number;
  name: FileName;
}

/**
 * Copies everything below `sourceFd` into the existing, empty directory `targetFd`, and the directory's owner, mode,
 * times and attributes. It keeps owners, modes, times, extended attributes, hard links, devices, FIFOs, sockets and
 * holes. Synchronous. Throws KernelError; the caller then removes the incomplete copy.
 */
export function copyTree(sourceFd: number, targetFd: number): void {
  const copy = new TreeCopy();
  withFd(openat2(sourceFd, '.', constants.O_RDONLY | O_DIRECTORY, oneName), (source) =>
    withFd(openat2(targetFd, '.', constants.O_RDONLY | O_DIRECTORY, oneName), (target) => {
      copy.directory(source, target);
      copy.close();
    }),
  );
}

/** Gives an open directory the owner, mode, times and extended attributes of another. */
export function copyDirectoryAttributes(source: number, target: number): void {
  keepAttributes(source, target);
  const stat = fstatSync(source, { bigint: true });
  lchownat(target, '', Number(stat.uid), Number(stat.gid));
  fchmodSync(target, permissions(stat));
  utimensat(target, '.', stat.atimeNs, stat.mtimeNs);
}

class TreeCopy {
  /** First copies by device and inode, for files with several names. */
  readonly #firstCopies = new Map<string, FirstCopy>();
  /** Directories of first copies, which stay open until the end. */
  readonly #heldFds: number[] = [];

  close(): void {
    for (const fd of this.#heldFds) closeSync(fd);
  }

  directory(source: number, target: number): void {
    for (const name of namesIn(source)) this.#entry(source, target, name);
    // Times come last, because filling the directory changes them.
    copyDirectoryAttributes(source, target);
  }

  #entry(source: number, target: number, name: FileName): void {
    let entry: number;
    try {
      entry = openat2(source, name, O_PATH | O_NOFOLLOW, oneName & ~Resolve.noSymlinks);
    } catch (error) {
      // The file was removed after the directory was read, so it is not part of the tree.
      if (hasErrno(error, 'ENOENT')) return;
      throw error;
    }
    withFd(entry, () => {
      const stat = fstatSync(entry, { bigint: true });
      if (!stat.isDirectory() && stat.nlink > 1n && this.#linked(stat, target, name)) return;
      if (stat.isDirectory()) this.#subdirectory(entry, target, name);
      else if (stat.isFile()) regularFile(entry, target, name);
      else if (stat.isSymbolicLink()) symlinkat(targetOfLink(entry), target, name);
      else special(stat, target, name);
      if (stat.isDirectory()) return;
      lchownat(target, name, Number(stat.uid), Number(stat.gid));
      // chown(2) clears the set-user-ID bits, so the mode is set after it.
      if (!stat.isSymbolicLink()) {
        fchmodat(target, name, permissions(stat));
        withFd(openat2(target, name, O_PATH | O_NOFOLLOW, oneName), (copied) =>
          keepAttributes(entry, copied),
        );
      }
      utimensat(target, name, stat.atimeNs, stat.mtimeNs);
    });
  }

  /** Creates a hard link when this file was already copied under another name. */
  #linked(stat: BigIntStats, target: number, name: FileName): boolean {
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#firstCopies.get(key);
    if (first !== undefined) {
      linkat(first.directoryFd, first.name, target, name);
      return true;
    }
    const directoryFd = openat2(target, '.', O_PATH | O_DIRECTORY, oneName);
    this.#heldFds.push(directoryFd);
    this.#firstCopies.set(key, { directoryFd, name });
    return false;
  }

  #subdirectory(entry: number, target: number, name: FileName): void {
    mkdirat(target, name, 0o700);
    const flags = constants.O_RDONLY | O_DIRECTORY;
    withFd(openat2(entry, '.', flags, oneName), (from) =>
      withFd(openat2(target, name, flags, oneName), (to) => this.directory(from, to)),
    );
  }
}

function regularFile(entry: number, target: number, name: FileName): void {
  // Reopening through the descriptor gives the checked file, whatever its name is now.
  const from = openat2(-1, `/proc/self/fd/${entry}`, constants.O_RDONLY, 0);
  withFd(from, () => {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
    withFd(openat2(target, name, flags, oneName, 0o600), (to) => {
      const { size } = fstatSync(from);
      copyFileData(from, to, size);
      ftruncateSync(to, size);
    });
  });
}

function targetOfLink(entry: number): Buffer {
  return Buffer.concat([readlinkBytesAt(entry, ''), Buffer.of(0)]);
}

function special(stat: BigIntStats, target: number, name: FileName): void {
  const { major, minor } = splitDevice(stat.rdev);
  mknodat(target, name, Number(stat.mode & BigInt(constants.S_IFMT)) | 0o600, major, minor);
}

function keepAttributes(source: number, target: number): void {
  for (const name of listXattrs(source)) {
    // Attributes of overlayfs have a meaning only in their own layer.
    if (isOverlayAttribute(name)) continue;
    const value = getXattr(source, name);
    if (value === undefined) continue;
    try {
      setXattr(target, name, value);
    } catch (error) {
      // The target's file system (tmpfs, a network share) may support fewer attributes.
      if (!hasErrno(error, 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    }
  }
}

const permissions = (stat: BigIntStats) => Number(stat.mode & 0o7777n);
