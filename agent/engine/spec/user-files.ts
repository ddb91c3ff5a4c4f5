/**
 * The image's `/etc/passwd` and `/etc/group`, read from the layers as overlayfs would find them,
 * before anything is mounted.
 */

import { constants, fstatSync } from 'node:fs';
import {
  O_PATH,
  openDirectory,
  openInRootIfAny,
  readTextInRoot,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { overlayAttribute } from '../../kernel/overlay.ts';
import { getXattr } from '../../kernel/xattr.ts';

interface UserFiles {
  /** Empty when the image has no such file. */
  passwd: string;
  group: string;
}

/** Results for the read-only layers of an image, whose list is one object that never changes. */
const ofLowers = new WeakMap<readonly string[], Partial<UserFiles>>();

/** `lowers` begins with the topmost layer. */
export function readUserFiles(upper: string, lowers: readonly string[]): UserFiles {
  return withFd(openDirectory(upper), (root) => ({
    passwd: readTopmost(root, lowers, 'passwd'),
    group: readTopmost(root, lowers, 'group'),
  }));
}

function readTopmost(upperFd: number, lowers: readonly string[], name: keyof UserFiles): string {
  const found = lookIn(upperFd, name);
  return found === 'below' ? readLowers(lowers, name) : found;
}

/** Reads only the files that the writable layer does not replace. */
function readLowers(lowers: readonly string[], name: keyof UserFiles): string {
  const known = ofLowers.get(lowers) ?? {};
  known[name] ??= readLayered(lowers, name);
  ofLowers.set(lowers, known);
  return known[name];
}

function readLayered(layers: readonly string[], name: string): string {
  for (const layer of layers) {
    const found = withFd(openDirectory(layer), (root) => lookIn(root, name));
    if (found !== 'below') return found;
  }
  return '';
}

/** The text of the file, empty when this layer hides it, or `below` when a lower layer decides. */
function lookIn(root: number, name: string): string | 'below' {
  const directory = statOf(root, 'etc');
  if (directory === undefined) return 'below';
  if (isWhiteout(directory)) return '';
  const file = statOf(root, `etc/${name}`);
  if (file === undefined) return directory.opaque ? '' : 'below';
  return isWhiteout(file) ? '' : (readTextInRoot(root, `etc/${name}`) ?? '');
}

interface Found {
  mode: number;
  rdev: number;
  opaque: boolean;
}

/** Links are followed inside this layer only, which is where distributions keep the target. */
function statOf(root: number, path: string): Found | undefined {
  try {
    const fd = openInRootIfAny(root, path, O_PATH);
    if (fd === undefined) return undefined;
    return withFd(fd, () => {
      const { mode, rdev } = fstatSync(fd);
      return { mode, rdev, opaque: getXattr(fd, overlayAttribute('opaque'))?.toString() === 'y' };
    });
  } catch (error) {
    // ELOOP means a link to itself, which is no file.
    if (hasErrno(error, 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** A whiteout of overlayfs is a character device 0:0 (overlayfs.rst, "whiteouts"). */
function isWhiteout({ mode, rdev }: Found): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFCHR && rdev === 0;
}
