/**
 * Archives a container's writable layer as an image layer. Overlayfs's marks become OCI whiteouts
 * (image-spec layer.md, "Whiteouts"), and files that the runtime made for its mounts are left out.
 */
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { archiveTree } from '../../images/tree-archive.ts';
import { O_NOFOLLOW, O_PATH, openDirectory, openInRootIfAny, withFd } from '../../kernel/files.ts';
import { streamOf } from './archive.ts';
import type { ContainerRoot } from './container-files.ts';
import { openImageRoot } from './container-root.ts';
import { runtimeFiles } from './runtime-files.ts';

/** Reads the files of a running container one after the other, so it should be paused first. */
export async function layerArchive({ rootfs }: Pick<ContainerRoot, 'rootfs'>): Promise<Readable> {
  const missing = new Set(
    withFd(openImageRoot(rootfs), (image) => runtimeFiles.filter((path) => !isIn(image, path))),
  );
  const fd = openDirectory(rootfs.upper);
  const tree = archiveTree(fd, '.', {
    name: Buffer.from('.'),
    stayOnMount: true,
    // The files on disk carry the ids used inside the container.
    ids: undefined,
    asLayer: { isLeftOut: (path) => missing.has(path) },
  });
  return streamOf(tree, fd);
}

function isIn(imageFd: number, path: string): boolean {
  const fd = openInRootIfAny(imageFd, path, O_PATH | O_NOFOLLOW);
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}
