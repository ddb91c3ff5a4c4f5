/**
 * A tree as a cpio archive in the form that the kernel unpacks
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import type { Entry, FileTree } from '../recipe/file-tree.ts';

const fileTypes = { file: 0o100000, directory: 0o040000, link: 0o120000, device: 0o020000 };

export function cpioOf(tree: FileTree, time: Date): Buffer {
  const seconds = Math.floor(time.getTime() / 1000);
  const pieces = tree
    .entries()
    .flatMap(([path, entry], index) => member(path, entry, index + 1, seconds));
  return Buffer.concat([...pieces, ...member('TRAILER!!!', undefined, 0, 0)]);
}

function member(path: string, entry: Entry | undefined, inode: number, seconds: number): Buffer[] {
  const content = contentOf(entry);
  const name = Buffer.from(`${path}\0`);
  const device = entry?.type === 'device' ? entry : { major: 0, minor: 0 };
  const fields = [
    inode,
    modeOf(entry),
    0, // user
    0, // group
    entry?.type === 'directory' ? 2 : 1,
    seconds,
    content.length,
    0, // the device that it lies on
    0,
    device.major,
    device.minor,
    name.length,
    0, // a checksum, which this form does not use
  ];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(content)];
}

function contentOf(entry: Entry | undefined): Buffer {
  if (entry?.type === 'file') return entry.content;
  return Buffer.from(entry?.type === 'link' ? entry.target : '');
}

function modeOf(entry: Entry | undefined): number {
  if (entry === undefined) return 0;
  return fileTypes[entry.type] | (entry.type === 'link' ? 0o777 : entry.mode);
}

/** Every part begins at a multiple of four bytes. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
