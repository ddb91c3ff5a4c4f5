/** A tree as a tar archive: what mkfs.erofs and `wsl --import` read. */
import { type Header, pack } from 'tar-stream';
import type { Entry, FileTree } from './file-tree.ts';

export async function tarOf(tree: FileTree, time: Date): Promise<Buffer> {
  const archive = pack();
  for (const [path, entry] of tree.entries()) {
    const header = { name: path, mtime: time, ...headerOf(entry) };
    archive.entry(header, entry.type === 'file' ? entry.content : Buffer.alloc(0));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function headerOf(entry: Entry): Partial<Header> {
  switch (entry.type) {
    case 'file':
      return { type: 'file', mode: entry.mode };
    case 'directory':
      return { type: 'directory', mode: entry.mode };
    case 'link':
      return { type: 'symlink', linkname: entry.target, mode: 0o777 };
    case 'device': {
      const { mode, major, minor } = entry;
      return { type: 'character-device', mode, devmajor: major, devminor: minor };
    }
  }
}
