/** `docker export`: archives the whole root, with empty mount points. */
import type { Readable } from 'node:stream';
import { streamOf } from './archive.ts';
import type { ContainerRoot } from './container-files.ts';
import { openWithoutVolumes } from './container-root.ts';
import { archiveTree } from './tree-archive.ts';

export async function exportArchive(root: ContainerRoot): Promise<Readable> {
  const { fd, ids } = openWithoutVolumes(root);
  return streamOf(archiveTree(fd, '.', { name: Buffer.from('.'), stayOnMount: true, ids }), fd);
}
