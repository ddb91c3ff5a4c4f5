/** The entries of one directory of an unpacked layer, as people look at them. */
import { constants, fstatSync, type Stats } from 'node:fs';
import type { LayerFile, LayerFilesDocument } from '../../contract/image.ts';
import { notFound } from '../../errors.ts';
import {
  type FileName,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  openDirectory,
  readlinkat,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { overlayAttribute } from '../../kernel/overlay.ts';
import { namesIn } from '../../kernel/remove-tree.ts';
import { getXattr } from '../../kernel/xattr.ts';

interface Request {
  /** Inside the layer; links in it are not followed, since a layer alone cannot say where they lead. */
  path: string;
  /** The last name that is known already; empty at the beginning. */
  after: string;
  limit: number;
}

/** `layer`: the directory of an overlayfs lower. Throws not-found for what is no directory in it. */
export function layerFiles(layer: string, { path, after, limit }: Request): LayerFilesDocument {
  const below = path.replace(/^\/+/, '') || '.';
  return withFd(openDirectory(layer), (root) =>
    withFd(openBelow(root, below, path), (directory) => {
      const following = namesIn(directory)
        .map((raw) => ({ raw, name: textOf(raw) }))
        .sort((a, b) => compare(a.name, b.name))
        .filter(({ name }) => compare(name, after) > 0);
      const files = following
        .slice(0, limit)
        .map(({ raw, name }) =>
          withFd(openat2(directory, raw, O_PATH | O_NOFOLLOW, oneName), (fd) => fileOf(fd, name)),
        );
      return { files, hasMore: following.length > limit };
    }),
  );
}

function openBelow(root: number, path: string, shown: string): number {
  try {
    return openat2(root, path, constants.O_RDONLY | O_DIRECTORY, oneName);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'))
      throw notFound(`there is no directory ${shown} in this layer`, error);
    throw error;
  }
}

function fileOf(fd: number, name: string): LayerFile {
  const stat = fstatSync(fd);
  const kind = kindOf(stat);
  const isOpaque =
    kind === 'directory' && getXattr(fd, overlayAttribute('opaque'))?.toString() === 'y';
  return {
    name,
    kind,
    sizeBytes: kind === 'file' ? stat.size : 0,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    modifiedAt: stat.mtime.toISOString(),
    ...(kind === 'link' && { target: readlinkat(fd, '') }),
    ...(isOpaque && { isOpaque }),
  };
}

/** Overlayfs hides the entry below with a character device 0:0 (kernel, overlayfs.rst). */
function kindOf(stat: Stats): LayerFile['kind'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'link';
  if (stat.isCharacterDevice() && stat.rdev === 0) return 'removed';
  if (stat.isFIFO()) return 'pipe';
  return stat.isSocket() ? 'socket' : 'device';
}

/** A name that is not UTF-8 is shown with replacement characters; it ends with a NUL here. */
const textOf = (raw: FileName): string =>
  typeof raw === 'string' ? raw : raw.toString('utf8', 0, raw.length - 1);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
