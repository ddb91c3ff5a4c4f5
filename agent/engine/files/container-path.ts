/**
 * Resolves a path in a container as `docker cp` does: links on the way are followed as the
 * container would, and the last component only when the path ends in `/` or `/.`.
 */
import { type BigIntStats, closeSync, fstatSync } from 'node:fs';
import { posix } from 'node:path';
import type { PathStat } from '../../api/containers/backend.ts';
import { invalid, notFound } from '../../errors.ts';
import {
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  openInRoot,
  Resolve,
  readlinkat,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';

/** After this many links, path_resolution(7) reports a loop. */
const maxLinks = 40;

/** An open directory and a name in it. The name `.` is the directory itself. */
export interface Place {
  parentFd: number;
  name: string;
}

/**
 * The last component as Go's filepath.Base gives it, which clients expect: `/` and `.` are names
 * too.
 */
export function baseOf(path: string): string {
  if (path.endsWith('/.')) return '.';
  return posix.basename(path) || '/';
}

/**
 * Opens the parent directory of `path`; the caller closes `parentFd`. Throws not-found, and invalid
 * when a file is used as a directory.
 */
export function openPlace(rootFd: number, path: string): Place {
  const base = posix.basename(path);
  const whole = path.endsWith('/') || path.endsWith('/.') || ['', '.', '..'].includes(base);
  try {
    return whole
      ? { parentFd: openInRoot(rootFd, path || '/', O_PATH | O_DIRECTORY), name: '.' }
      : { parentFd: openInRoot(rootFd, posix.dirname(path), O_PATH | O_DIRECTORY), name: base };
  } catch (error) {
    throw pathError(path, error);
  }
}

export function statPlace(rootFd: number, path: string): PathStat {
  const place = openPlace(rootFd, path);
  try {
    const flags = O_PATH | O_NOFOLLOW;
    const resolve = Resolve.beneath | Resolve.noMagicLinks;
    return withFd(openat2(place.parentFd, place.name, flags, resolve), (fd) => {
      const stat = fstatSync(fd, { bigint: true });
      return {
        ...describe(stat),
        name: baseOf(path),
        linkTarget: stat.isSymbolicLink() ? followLinks(rootFd, path) : '',
      };
    });
  } catch (error) {
    throw pathError(path, error);
  } finally {
    closeSync(place.parentFd);
  }
}

export function pathError(path: string, error: unknown): unknown {
  if (hasErrno(error, 'ENOENT')) return notFound(`Could not find the file ${path}`, error);
  if (hasErrno(error, 'ENOTDIR')) return invalid(`${path}: not a directory`, error);
  if (hasErrno(error, 'ELOOP')) return invalid(`${path} leads in circles`, error);
  return error;
}

function describe(stat: BigIntStats): Pick<PathStat, 'sizeBytes' | 'mode' | 'modifiedAt'> {
  return {
    sizeBytes: Number(stat.size),
    mode: Number(stat.mode),
    modifiedAt: new Date(Number(stat.mtimeMs)),
  };
}

/** The target of a chain of links, as a path in the container, even when nothing is there. */
function followLinks(rootFd: number, path: string): string {
  let current = path;
  for (let step = 0; step < maxLinks; step++) {
    const target = linkTarget(rootFd, current);
    if (target === undefined) break;
    current = posix.resolve('/', posix.dirname(current), target);
  }
  return current;
}

function linkTarget(rootFd: number, path: string): string | undefined {
  try {
    return withFd(openInRoot(rootFd, path, O_PATH | O_NOFOLLOW), (fd) =>
      fstatSync(fd).isSymbolicLink() ? readlinkat(fd, '') : undefined,
    );
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
