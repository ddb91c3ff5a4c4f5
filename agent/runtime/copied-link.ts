/**
 * crun's `copy-symlink`: a source that is a symbolic link is copied as a link instead of being
 * mounted.
 */
import { readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import type { OciMount } from '../contract/oci-runtime.ts';
import { makeDirectoriesInRoot, readlinkat, symlinkat, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';

/** The target of the link. Undefined when the source is no link. */
export function copiedLink({ source = '' }: OciMount): string | undefined {
  try {
    return readlinkSync(source);
  } catch (error) {
    // The source is no link or is missing, which the code that opens it reports.
    if (hasErrno(error, 'EINVAL', 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/**
 * Makes the link unless it exists with the same target. Throws EEXIST when something else is there.
 */
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
