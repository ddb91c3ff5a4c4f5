/**
 * The image's `/etc/passwd` and `/etc/group`, read before anything is mounted: out of the layers, the
 * writable one first, as overlayfs would find them.
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
  /** Empty texts for an image without the files. */
  passwd: string;
  group: string;
}

/** Of layers that are read-only: they never change, and an image's list of them is one object. */
const ofLowers = new WeakMap<readonly string[], Partial<UserFiles>>();

/** `lowers` from the topmost down. */
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

/** One file at a time: what the container has replaced is not asked of its image. */
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

/** The text; empty when this layer hides what is below; or `below`. */
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

/** A link is followed inside this layer only, which is where distributions put its target. */
function statOf(root: number, path: string): Found | undefined {
  try {
    const fd = openInRootIfAny(root, path, O_PATH);
    if (fd === undefined) return undefined;
    return withFd(fd, () => {
      const { mode, rdev } = fstatSync(fd);
      return { mode, rdev, opaque: getXattr(fd, overlayAttribute('opaque'))?.toString() === 'y' };
    });
  } catch (error) {
    // ELOOP: a link to itself, which is no file either.
    if (hasErrno(error, 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** overlayfs.rst, "whiteouts": a character device 0:0. */
function isWhiteout({ mode, rdev }: Found): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFCHR && rdev === 0;
}
