/**
 * One folder of this computer and the ways into it. Whoever asks is a container: a path is only
 * followed when each folder on it is a real one, so a symbolic link never leads out. All file calls of
 * a folder are made one after the other, so nothing that a container does comes between the check and
 * the use; what was found to be a folder is remembered until somebody moves or removes one.
 */
import { constants, lstatSync, realpathSync, statSync } from 'node:fs';
import { LinuxError } from './errno.ts';

export interface SharedFolder {
  /** The folder itself, real from its first name to its last. */
  readonly root: string;
  readonly device: bigint;
  /** Where a path of the wire lies on this computer; its folder is a real one. */
  locate(path: string): Buffer;
  /** The same for a folder. */
  locateFolder(path: string): Buffer;
  /** A folder was moved or removed, by whomever. */
  forgetFolders(): void;
}

const isWindows = process.platform === 'win32';

/** Throws Node's error when it is not there, or ENOTDIR. */
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

/** What is no plain name, here or on this computer's system. */
function checkNames(relative: string): void {
  if (relative === '') return;
  for (const name of relative.split('/')) {
    if (name === '' || name === '.' || name === '..' || name.includes('\0'))
      throw new LinuxError('EINVAL');
    if (isWindows && !isWindowsName(name)) throw new LinuxError('EINVAL');
    if (name.length > 255) throw new LinuxError('ENAMETOOLONG');
  }
}

/** Streams, drives and devices hide behind what else would be a name. */
function isWindowsName(name: string): boolean {
  return (
    !/[<>:"\\|?*\x01-\x1f]|[ .]$/.test(name) && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name)
  );
}

/** Linux's open flags, the same on amd64 and arm64, as this system has them. */
export function openFlags(linux: number): number {
  const access = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR][linux & 3];
  if (access === undefined) throw new LinuxError('EINVAL');
  // Not O_APPEND: the kernel says where, and pwrite(2) on Linux would not listen.
  return (
    access |
    ((linux & 0o100) !== 0 ? constants.O_CREAT : 0) |
    ((linux & 0o200) !== 0 ? constants.O_EXCL : 0) |
    ((linux & 0o1000) !== 0 ? constants.O_TRUNC : 0) |
    (constants.O_NOFOLLOW ?? 0) |
    // A FIFO of this computer must not make everybody wait.
    (constants.O_NONBLOCK ?? 0)
  );
}

/** Where something is after a folder, or it itself, was renamed. */
export function movedPath(path: string, from: string, to: string): string {
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
}
