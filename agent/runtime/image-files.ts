/** Reads and copies files of an image before anything is mounted over them. */
import { readdirSync } from 'node:fs';
import { copyTree } from '../kernel/copy-tree.ts';
import {
  O_DIRECTORY,
  O_PATH,
  openDirectory,
  openInRoot,
  readTextInRoot,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { cloneMapped } from './rootfs.ts';
import type { Remapping } from './user-namespace.ts';

/** The largest file that `readFiles` reads from an image. */
const readFileMaxBytes = 4 * 1024 * 1024;

/** Fills an empty volume with the image's content at the volume's target. */
export function copyUp(
  rootFd: number,
  source: string,
  target: string,
  remapping: Remapping | undefined,
): void {
  if (readdirSync(source).length > 0) return;
  let image: number;
  try {
    image = openInRoot(rootFd, target, O_PATH | O_DIRECTORY);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return;
    throw error;
  }
  const volume = () =>
    remapping === undefined ? openDirectory(source) : cloneMapped(source, remapping.userFd);
  withFd(image, () => withFd(volume(), (volumeFd) => copyTree(image, volumeFd)));
}

export function readFiles(rootFd: number, paths: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const path of paths) {
    const text = readTextInRoot(rootFd, path, readFileMaxBytes);
    if (text !== undefined) files.set(path, text);
  }
  return files;
}
