/**
 * Reads a directory tree as a tar archive. Each directory is opened from its parent and no link is
 * followed, so whatever a running container renames meanwhile, nothing outside its root is read. A
 * file that shrinks while it is read is padded with zeroes to the length in its header.
 */
import { type BigIntStats, closeSync, constants, fstatSync, readSync } from 'node:fs';
import {
  type FileName,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  Resolve,
  readlinkBytesAt,
  splitDevice,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { isOverlayAttribute, overlayAttribute } from '../../kernel/overlay.ts';
import { type IdRange, idInside } from '../../kernel/process-status.ts';
import { filesystemMagic } from '../../kernel/procfs.ts';
import { namesIn } from '../../kernel/remove-tree.ts';
import type { IdMap } from '../../kernel/user-namespaces.ts';
import { getXattr, listXattrs } from '../../kernel/xattr.ts';
import { archiveEnd, type EntryHeader, encodeHeader, paddingOf } from './tar-entry.ts';

const withinTree = Resolve.beneath | Resolve.noMagicLinks;
const chunkBytes = 256 * 1024;

/**
 * File systems that show the kernel's own state (linux/magic.h), which have no files to archive.
 */
const kernelFilesystems = new Set([0x9fa0, 0x62656572, 0x63677270, 0x27e0eb, 0x74726163]);

export interface TreeOptions {
  /** The name of the first entry, with which all entries below it begin. */
  name: Buffer;
  /** Archives mounts inside the tree as empty mount points. */
  stayOnMount: boolean;
  /**
   * The container's id map, when its files carry host ids. The archive carries the ids used inside.
   */
  ids: IdMap | undefined;
  /** Set when the tree is an overlay's upper directory and the archive an image layer. */
  asLayer?: LayerMarks;
}

export interface LayerMarks {
  /** Whether to leave out a path of the container. */
  isLeftOut(path: string): boolean;
}

/** The settings with which every entry of one archive is read. */
interface Reading {
  resolve: number;
  ids: IdMap | undefined;
  /** The first name of each file that has several hard links. */
  firstNames: Map<string, Buffer>;
  asLayer: LayerMarks | undefined;
}

/** Archives `name` in the directory `parentFd`. The caller closes `parentFd`. */
export async function* archiveTree(
  parentFd: number,
  name: FileName,
  options: TreeOptions,
): AsyncGenerator<Buffer> {
  const resolve = options.stayOnMount ? withinTree | Resolve.noXdev : withinTree;
  const { ids, asLayer } = options;
  const reading: Reading = { resolve, ids, firstNames: new Map(), asLayer };
  yield* archiveEntry(parentFd, name, options.name, reading);
  yield archiveEnd;
}

async function* archiveEntry(
  parentFd: number,
  name: FileName,
  shown: Buffer,
  reading: Reading,
): AsyncGenerator<Buffer> {
  const { asLayer } = reading;
  // Names that begin like a whiteout have a meaning in a layer and cannot be files.
  if (asLayer !== undefined && (baseOf(shown).startsWith(whiteout) || isLeftOut(asLayer, shown)))
    return;
  const fd = openEntry(parentFd, name, reading.resolve);
  if (fd === undefined) return;
  try {
    const stat = fstatSync(fd, { bigint: true });
    // Overlayfs hides what lies below by a character device 0:0 (kernel, overlayfs.rst).
    if (asLayer !== undefined && stat.isCharacterDevice() && stat.rdev === 0n)
      yield markAt(shown.subarray(0, shown.lastIndexOf('/') + 1), baseOf(shown));
    else if (stat.isDirectory()) yield* archiveDirectory(fd, stat, shown, reading);
    else if (!stat.isSocket()) yield* archiveFile(fd, stat, shown, reading);
  } finally {
    closeSync(fd);
  }
}

const whiteout = '.wh.';
const opaque = '.wh..opq';

/** Writes the whiteout for a name in `folder`, which ends with a slash. */
function markAt(folder: Buffer, name: string): Buffer {
  return encodeHeader({
    type: 'file',
    name: Buffer.concat([folder, Buffer.from(`${whiteout}${name}`, 'latin1')]),
    mode: 0o600,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    modifiedNanos: 0n,
  });
}

/** The last component of a path in bytes. */
const baseOf = (shown: Buffer) => shown.subarray(shown.lastIndexOf('/') + 1).toString('latin1');

const isLeftOut = (marks: LayerMarks, shown: Buffer) =>
  marks.isLeftOut(shown.subarray(shown.indexOf('/')).toString('latin1'));

/** Returns undefined for an entry that vanished, and for one with an unwanted mount over it. */
function openEntry(parentFd: number, name: FileName, resolve: number): number | undefined {
  try {
    return openat2(parentFd, name, O_PATH | O_NOFOLLOW, resolve);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EXDEV')) return undefined;
    throw error;
  }
}

async function* archiveDirectory(
  fd: number,
  stat: BigIntStats,
  shown: Buffer,
  reading: Reading,
): AsyncGenerator<Buffer> {
  const slash = shown.at(-1) === 0x2f ? shown : Buffer.concat([shown, Buffer.from('/')]);
  yield encodeHeader({ ...headerOf(stat, slash, fd, reading.ids), type: 'directory' });
  if (kernelFilesystems.has(filesystemMagic(fd))) return;
  if (reading.asLayer !== undefined && getXattr(fd, overlayAttribute('opaque'))?.[0] === 0x79)
    yield markAt(slash, opaque);
  const names = withFd(openat2(fd, '.', constants.O_RDONLY | O_DIRECTORY, withinTree), namesIn);
  for (const name of names)
    yield* archiveEntry(fd, name, Buffer.concat([slash, bytesOf(name)]), reading);
}

async function* archiveFile(
  fd: number,
  stat: BigIntStats,
  shown: Buffer,
  { firstNames, ids }: Reading,
): AsyncGenerator<Buffer> {
  const header = headerOf(stat, shown, fd, ids);
  const key = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? firstNames.get(key) : undefined;
  if (first !== undefined) {
    yield encodeHeader({ ...header, type: 'hardlink', linkName: first });
    return;
  }
  firstNames.set(key, shown);
  if (stat.isSymbolicLink())
    yield encodeHeader({ ...header, type: 'symlink', linkName: readlinkBytesAt(fd, '') });
  else if (stat.isFile()) yield* archiveData(fd, stat, header);
  else yield encodeHeader({ ...header, ...splitDevice(stat.rdev), type: nodeType(stat) });
}

async function* archiveData(
  fd: number,
  stat: BigIntStats,
  header: Omit<EntryHeader, 'type'>,
): AsyncGenerator<Buffer> {
  const sizeBytes = Number(stat.size);
  yield encodeHeader({ ...header, type: 'file', sizeBytes });
  // The magic link of the O_PATH descriptor reopens this very file, whose type is already known.
  const data = openat2(-100, `/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK, 0);
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      const buffer = Buffer.alloc(Math.min(chunkBytes, sizeBytes - offset));
      // A short read means that the file shrank; the rest of the buffer stays zero.
      readSync(data, buffer, 0, buffer.length, offset);
      offset += buffer.length;
      yield buffer;
    }
  } finally {
    closeSync(data);
  }
  yield paddingOf(sizeBytes);
}

function headerOf(
  stat: BigIntStats,
  name: Buffer,
  fd: number,
  ids: IdMap | undefined,
): Omit<EntryHeader, 'type'> {
  return {
    name,
    mode: Number(stat.mode & 0o7777n),
    uid: shownId(ids?.uids, Number(stat.uid)),
    gid: shownId(ids?.gids, Number(stat.gid)),
    sizeBytes: 0,
    modifiedNanos: stat.mtimeNs,
    xattrs: stat.isSymbolicLink() ? undefined : xattrsOf(fd),
  };
}

/** The id under which the container sees owners outside its id map (user_namespaces(7)). */
const overflowId = 65_534;

function shownId(ranges: readonly IdRange[] | undefined, id: number): number {
  return ranges === undefined ? id : (idInside(ranges, id) ?? overflowId);
}

/**
 * The file's own attributes. Those of overlayfs and of the host's security modules mean nothing
 * elsewhere.
 */
function xattrsOf(fd: number): Map<string, Buffer> {
  const kept = new Map<string, Buffer>();
  for (const name of listXattrs(fd)) {
    if (name !== 'security.capability' && !name.startsWith('user.')) continue;
    if (isOverlayAttribute(name)) continue;
    const value = getXattr(fd, name);
    if (value !== undefined) kept.set(name, Buffer.from(value));
  }
  return kept;
}

function nodeType(stat: BigIntStats): 'fifo' | 'block' | 'character' {
  if (stat.isFIFO()) return 'fifo';
  return stat.isBlockDevice() ? 'block' : 'character';
}

/** `namesIn` ends a name that is not UTF-8 with a NUL. */
const bytesOf = (name: FileName): Buffer =>
  typeof name === 'string' ? Buffer.from(name) : name.subarray(0, -1);
