/**
 * The image's `/etc/passwd` and `/etc/group`, read before anything is mounted: out of the layers, the
 * writable one first, as overlayfs would find them.
 */
import { constants, fstatSync } from 'node:fs';
import { O_PATH, openDirectory, openInRoot, readTextInRoot, withFd } from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { getXattr } from '../../kernel/xattr.ts';

/** Layers from the topmost down. Empty texts for an image without the files. */
export function readUserFiles(layers: readonly string[]): { passwd: string; group: string } {
  return { passwd: readLayered(layers, 'passwd'), group: readLayered(layers, 'group') };
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
    return withFd(openInRoot(root, path, O_PATH), (fd) => {
      const { mode, rdev } = fstatSync(fd);
      return { mode, rdev, opaque: getXattr(fd, 'trusted.overlay.opaque')?.toString() === 'y' };
    });
  } catch (error) {
    // ELOOP: a link to itself, which is no file either.
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** overlayfs.rst, "whiteouts": a character device 0:0. */
function isWhiteout({ mode, rdev }: Found): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFCHR && rdev === 0;
}
