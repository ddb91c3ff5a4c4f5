/** crun's `copy-symlink`: a source that is a symbolic link is not followed, and mounts nothing. */
import { readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import type { OciMount } from '../contract/oci-runtime.ts';
import { makeDirectoriesInRoot, readlinkat, symlinkat, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';

/** Undefined for a source that is no link. */
export function copiedLink({ source = '' }: OciMount): string | undefined {
  try {
    return readlinkSync(source);
  } catch (error) {
    // No link, or nothing at all, which is said where it is opened.
    if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Unless that very link is there already. Throws EEXIST when something else is. */
export function makeLink(rootFd: number, destination: string, target: string): void {
  const { dir, base } = posix.parse(destination);
  withFd(makeDirectoriesInRoot(rootFd, dir), (parent) => {
    try {
      symlinkat(target, parent, base);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST') || linkAt(parent, base) !== target) throw error;
    }
  });
}

function linkAt(parentFd: number, name: string): string | undefined {
  try {
    return readlinkat(parentFd, name);
  } catch (error) {
    if (hasErrno(error, 'EINVAL')) return undefined;
    throw error;
  }
}
