/**
 * Resolves paths in one shared folder. The requests come from containers, so every directory of a path
 * must be a real one, and a symbolic link never leads out of the folder. All file calls of a folder are
 * made one after the other, so that a container cannot change the path between check and use. Checked
 * directories are cached until one is moved or removed.
 */
import { constants, lstatSync, realpathSync, statSync } from 'node:fs';
import { LinuxError } from './errno.ts';

export interface SharedFolder {
  /** The folder's path without symbolic links. */
  readonly root: string;
  readonly device: bigint;
  /** This computer's path of a path in the protocol, after checking its directory. Throws Node's error, or ENOTDIR. */
  locate(path: string): Buffer;
  /** The same for a directory itself. */
  locateFolder(path: string): Buffer;
  /** Must be called after any directory was moved or removed. */
  forgetFolders(): void;
}

const isWindows = process.platform === 'win32';

/** Throws Node's error when the directory does not exist, or ENOTDIR. */
export function openSharedFolder(path: string): SharedFolder {
  const root = realpathSync.native(path);
  const stats = statSync(root, { bigint: true });
  if (!stats.isDirectory()) throw new LinuxError('ENOTDIR');
  const real = new Set<string>(['']);

  const place = (relative: string) =>
    Buffer.concat([
      Buffer.from(root),
      Buffer.from(relative === '' ? '' : `/${relative}`, 'latin1'),
    ]);

  function checkFolder(relative: string): void {
    if (real.has(relative)) return;
    const slash = relative.lastIndexOf('/');
    if (slash !== -1) checkFolder(relative.slice(0, slash));
    const found = lstatSync(place(relative));
    if (!found.isDirectory()) throw new LinuxError('ENOTDIR');
    real.add(relative);
  }

  return {
    root,
    device: stats.dev,
    locate(relative) {
      checkNames(relative);
      const slash = relative.lastIndexOf('/');
      checkFolder(slash === -1 ? '' : relative.slice(0, slash));
      return place(relative);
    },
    locateFolder(relative) {
      checkNames(relative);
      checkFolder(relative);
      return place(relative);
    },
    forgetFolders() {
      real.clear();
      real.add('');
    },
  };
}

/** Refuses names that are not plain ones on this computer's system. */
function checkNames(relative: string): void {
  if (relative === '') return;
  for (const name of relative.split('/')) {
    if (name === '' || name === '.' || name === '..' || name.includes('\0'))
      throw new LinuxError('EINVAL');
    if (isWindows && !isWindowsName(name)) throw new LinuxError('EINVAL');
    if (name.length > 255) throw new LinuxError('ENAMETOOLONG');
  }
}

/** On Windows such names mean alternate streams, drives or devices. */
function isWindowsName(name: string): boolean {
  return (
    !/[<>:"\\|?*\x01-\x1f]|[ .]$/.test(name) && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name)
  );
}

/** Translates Linux's open(2) flags, equal on amd64 and arm64, into those of this system. */
export function openFlags(linux: number): number {
  const access = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR][linux & 3];
  if (access === undefined) throw new LinuxError('EINVAL');
  // O_APPEND is left out: the guest's kernel sends the offset, which pwrite(2) would ignore with it (pwrite(2), BUGS).
  return (
    access |
    ((linux & 0o100) !== 0 ? constants.O_CREAT : 0) |
    ((linux & 0o200) !== 0 ? constants.O_EXCL : 0) |
    ((linux & 0o1000) !== 0 ? constants.O_TRUNC : 0) |
    (constants.O_NOFOLLOW ?? 0) |
    // Opening a FIFO without O_NONBLOCK would block all requests of the folder.
    (constants.O_NONBLOCK ?? 0)
  );
}

/** The path of a file after it, or a directory above it, was renamed. */
export function movedPath(path: string, from: string, to: string): string {
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
}
