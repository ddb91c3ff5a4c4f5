/**
 * Opens mount targets inside the container's root, once, and makes missing ones. A target behind a
 * link is checked before anything is mounted on it.
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

/** Runs `attach` with the directory, which is made if it is missing. */
export function onDirectory<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, directoryFlags, makeDirectoriesInRoot, attach);
}

/** Runs `attach` with the file, which is made if it is missing. */
export function onFile<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, O_PATH, openOrMakeFileInRoot, attach);
}

/** Runs `attach` with a directory that is not a link. */
export function onRealDirectory<T>(rootFd: number, path: string, attach: Attach<T>): T {
  return onTarget(rootFd, path, directoryFlags, openRealDirectory, attach);
}

type Attach<T> = (target: number) => T;

/** A path without links needs no further check, which is the usual case. */
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
 * A link in the image may lead a target to the root itself, hiding all mounts, or below /proc,
 * where mounts are not allowed (CVE-2025-52881).
 */
function refuseMisled(rootFd: number, targetFd: number, destination: string): void {
  const [root, target] = [fstatSync(rootFd), fstatSync(targetFd)];
  if (root.dev === target.dev && root.ino === target.ino)
    throw invalid(`the mount destination "${destination}" leads to the container's root`);
  const path = posix.relative(nameOfDescriptor(rootFd), nameOfDescriptor(targetFd));
  if (path === 'proc' || path.startsWith('proc/'))
    throw invalid(`"${destination}" cannot be mounted because it leads inside /proc`);
}
