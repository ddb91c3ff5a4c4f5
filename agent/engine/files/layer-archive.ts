/**
 * A container's writable layer as an image's layer: overlayfs's own marks become those of the OCI's
 * specification (image-spec layer.md, "Whiteouts"), and what the runtime put there for its mounts is left out.
 */
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { O_NOFOLLOW, O_PATH, openDirectory, openInRootIfAny, withFd } from '../../kernel/files.ts';
import { streamOf } from './archive.ts';
import type { ContainerRoot } from './container-files.ts';
import { openImageRoot } from './container-root.ts';
import { runtimeFiles } from './runtime-files.ts';
import { archiveTree } from './tree-archive.ts';

/** Of a container that runs it is what is on the disk at each file's turn: pause it before. */
export async function layerArchive({ rootfs }: Pick<ContainerRoot, 'rootfs'>): Promise<Readable> {
  const missing = new Set(
    withFd(openImageRoot(rootfs), (image) => runtimeFiles.filter((path) => !isIn(image, path))),
  );
  const fd = openDirectory(rootfs.upper);
  const tree = archiveTree(fd, '.', {
    name: Buffer.from('.'),
    stayOnMount: true,
    // On the disk ids are those inside.
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
