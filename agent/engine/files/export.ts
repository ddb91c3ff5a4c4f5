/** `docker export`: archives the whole root, with empty mount points. */
import type { Readable } from 'node:stream';
import { archiveTree } from '../../images/tree-archive.ts';
import { streamOf } from './archive.ts';
import type { ContainerRoot } from './container-files.ts';
import { openWithoutVolumes } from './container-root.ts';

export async function exportArchive(root: ContainerRoot): Promise<Readable> {
  const { fd, ids } = openWithoutVolumes(root);
  return streamOf(archiveTree(fd, '.', { name: Buffer.from('.'), stayOnMount: true, ids }), fd);
}
