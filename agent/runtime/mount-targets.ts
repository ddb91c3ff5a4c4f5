/**
 * Where mounts go: targets are opened once, inside the container's root, and made where they are missing.
 * One that a link leads to is looked at before anything is mounted on it.
 */
import { closeSync, fstatSync } from 'node:fs';
import { posix } from 'node:path';
import { CortenError, invalid } from '../errors.ts';
import {
  makeDirectoriesInRoot,
  nameOfDescriptor,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openInRoot,
  openInRootIfAny,
  openOrMakeFileInRoot,
  openPlainInRoot,
  withFd,
} from '../kernel/files.ts';

const directoryFlags = O_PATH | O_DIRECTORY;

/** `/proc` and `/sys` must be the image's own directories, not links (CVE-2019-19921, 2023-27561). */
export function openRealDirectory(rootFd: number, path: string): number {
  const flags = directoryFlags | O_NOFOLLOW;
  try {
    const there = openInRootIfAny(rootFd, path, flags);
    if (there !== undefined) return there;
    closeSync(makeDirectoriesInRoot(rootFd, path));
    return openInRoot(rootFd, path, flags);
  } catch (error) {
    throw new CortenError('invalid', `the image's ${path} is not a directory`, { cause: error });
  }
}

/** Runs `attach` with the directory; one that is missing is made. */
export function onDirectory<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, directoryFlags, makeDirectoriesInRoot, attach);
}

/** The same with a file. */
export function onFile<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, O_PATH, openOrMakeFileInRoot, attach);
}

/** The same with a directory that is no link itself. */
export function onRealDirectory<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, directoryFlags, openRealDirectory, attach);
}

type Attach<T> = (target: number) => T;

/** Where no link is on the way, which is nearly always, the path says all that could be asked. */
function onTarget<T>(
  rootFd: number,
  path: string,
  flags: number,
  openOrMake: (rootFd: number, path: string) => number,
  attach: Attach<T>,
): T {
  const plain = openPlainInRoot(rootFd, path, flags);
  if (plain !== undefined) return withFd(plain, attach);
  return withFd(openOrMake(rootFd, path), (target) => {
    refuseMisled(rootFd, target, path);
    return attach(target);
  });
}

/**
 * A link of the image may lead a target to the root itself, which would hide all that was mounted, or
 * below /proc, where the path alone would not have been let (CVE-2025-52881).
 */
function refuseMisled(rootFd: number, targetFd: number, destination: string): void {
  const [root, target] = [fstatSync(rootFd), fstatSync(targetFd)];
  if (root.dev === target.dev && root.ino === target.ino)
    throw invalid(`the mount destination "${destination}" leads to the container's root`);
  const path = posix.relative(nameOfDescriptor(rootFd), nameOfDescriptor(targetFd));
  if (path === 'proc' || path.startsWith('proc/'))
    throw invalid(`"${destination}" cannot be mounted because it leads inside /proc`);
}
