/**
 * Reads a directory tree as a tar archive. Each directory is opened from its parent and no link is
 * followed, so whatever a running container renames meanwhile, nothing outside its root is read. A
 * file that shrinks while it is read is padded with zeroes to the length in its header. The same tree
 * gives the same bytes: entries are sorted, and nothing tells when the archive was made.
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
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { isOverlayAttribute, overlayAttribute } from '../kernel/overlay.ts';
import { type IdRange, idInside } from '../kernel/process-status.ts';
import { filesystemMagic } from '../kernel/procfs.ts';
import { namesIn } from '../kernel/remove-tree.ts';
import type { IdMap } from '../kernel/user-namespaces.ts';
import { getXattr, listXattrs } from '../kernel/xattr.ts';
import { archiveEnd, type EntryHeader, encodeHeader, paddingOf } from './tar-entry.ts';

const withinTree = Resolve.beneath | Resolve.noMagicLinks;
const chunkBytes = 256 * 1024;

/**
 * File systems that show the kernel's own state (linux/magic.h), which have no files to archive.
 */
const kernelFilesystems = new Set([0x9fa0, 0x62656572, 0x63677270, 0x27e0eb, 0x74726163]);

export interface TreeOptions {
  /**
   * The name of the first entry, with which all entries below it begin. When it is empty, so is the beginning, and
   * the first entry is left out.
   */
  name: Buffer;
  /** Archives mounts inside the tree as empty mount points. */
  stayOnMount: boolean;
  /**
   * The container's id map, when its files carry host ids. The archive carries the ids used inside.
   */
  ids: IdMap | undefined;
  /** Later times become this one (`SOURCE_DATE_EPOCH`). */
  latestNanos?: bigint;
  /** Called with the bytes of each regular file. */
  counted?: (fileBytes: number) => void;
  /** Leaves the end of the archive to the caller, who adds more. */
  isPart?: boolean;
  /** Set when the tree is an overlay's upper directory and the archive an image layer. */
  asLayer?: LayerMarks;
}

export interface LayerMarks {
  /** Whether to leave out a path of the container. */
  isLeftOut?(path: string): boolean;
  /** Nothing lies below the tree, so there is nothing to hide: marks are left out. */
  isWhole?: boolean;
}

/** The settings with which every entry of one archive is read. */
interface Reading {
  resolve: number;
  ids: IdMap | undefined;
  /** The first name of each file that has several hard links. */
  firstNames: Map<string, Buffer>;
  latestNanos: bigint | undefined;
  counted: (fileBytes: number) => void;
  asLayer: LayerMarks | undefined;
}

/** Archives `name` in the directory `parentFd`. The caller closes `parentFd`. */
export function* archiveTree(
  parentFd: number,
  name: FileName,
  options: TreeOptions,
): Generator<Buffer> {
  const resolve = options.stayOnMount ? withinTree | Resolve.noXdev : withinTree;
  const { ids, latestNanos, asLayer, counted = () => {} } = options;
  const reading: Reading = { resolve, ids, firstNames: new Map(), latestNanos, counted, asLayer };
  yield* archiveEntry(parentFd, name, options.name, reading);
  if (!options.isPart) yield archiveEnd;
}

function* archiveEntry(
  parentFd: number,
  name: FileName,
  shown: Buffer,
  reading: Reading,
): Generator<Buffer> {
  const { asLayer } = reading;
  // Names that begin like a whiteout have a meaning in a layer and cannot be files.
  if (asLayer !== undefined && !asLayer.isWhole && baseOf(shown).startsWith(whiteout)) return;
  if (asLayer !== undefined && isLeftOut(asLayer, shown)) return;
  const fd = openEntry(parentFd, name, reading.resolve);
  if (fd === undefined) return;
  try {
    const stat = fstatSync(fd, { bigint: true });
    // Overlayfs hides what lies below by a character device 0:0 (kernel, overlayfs.rst).
    if (asLayer !== undefined && stat.isCharacterDevice() && stat.rdev === 0n) {
      if (!asLayer.isWhole)
        yield markAt(shown.subarray(0, shown.lastIndexOf('/') + 1), baseOf(shown));
    } else if (stat.isDirectory()) yield* archiveDirectory(fd, stat, shown, reading);
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

const isMarkedOpaque = (fd: number, marks: LayerMarks | undefined) =>
  marks !== undefined && !marks.isWhole && getXattr(fd, overlayAttribute('opaque'))?.[0] === 0x79;

/** The last component of a path in bytes. */
const baseOf = (shown: Buffer) => shown.subarray(shown.lastIndexOf('/') + 1).toString('latin1');

/** Paths of the container begin with a slash; names in the archive with `./` or nothing. */
function isLeftOut(marks: LayerMarks, shown: Buffer): boolean {
  if (marks.isLeftOut === undefined) return false;
  const text = shown.toString('latin1');
  return marks.isLeftOut(text.startsWith('./') ? text.slice(1) : `/${text}`);
}

/** Returns undefined for an entry that vanished, and for one with an unwanted mount over it. */
function openEntry(parentFd: number, name: FileName, resolve: number): number | undefined {
  try {
    return openat2(parentFd, name, O_PATH | O_NOFOLLOW, resolve);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EXDEV')) return undefined;
    throw error;
  }
}

function* archiveDirectory(
  fd: number,
  stat: BigIntStats,
  shown: Buffer,
  reading: Reading,
): Generator<Buffer> {
  const slash =
    shown.length === 0 || shown.at(-1) === 0x2f ? shown : Buffer.concat([shown, Buffer.from('/')]);
  if (slash.length > 0)
    yield encodeHeader({ ...headerOf(stat, slash, fd, reading), type: 'directory' });
  if (kernelFilesystems.has(filesystemMagic(fd))) return;
  if (isMarkedOpaque(fd, reading.asLayer)) yield markAt(slash, opaque);
  const names = withFd(openat2(fd, '.', constants.O_RDONLY | O_DIRECTORY, withinTree), namesIn)
    .map((name) => ({ name, bytes: bytesOf(name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  for (const { name, bytes } of names)
    yield* archiveEntry(fd, name, Buffer.concat([slash, bytes]), reading);
}

function* archiveFile(
  fd: number,
  stat: BigIntStats,
  shown: Buffer,
  reading: Reading,
): Generator<Buffer> {
  const { firstNames } = reading;
  const header = headerOf(stat, shown, fd, reading);
  const key = `${stat.dev}:${stat.ino}`;
  const first = stat.nlink > 1n ? firstNames.get(key) : undefined;
  if (first !== undefined) {
    yield encodeHeader({ ...header, type: 'hardlink', linkName: first });
    return;
  }
  if (stat.nlink > 1n) firstNames.set(key, shown);
  if (stat.isSymbolicLink())
    yield encodeHeader({ ...header, type: 'symlink', linkName: readlinkBytesAt(fd, '') });
  else if (stat.isFile()) {
    reading.counted(Number(stat.size));
    yield* archiveData(fd, stat, header);
  } else yield encodeHeader({ ...header, ...splitDevice(stat.rdev), type: nodeType(stat) });
}

function* archiveData(
  fd: number,
  stat: BigIntStats,
  header: Omit<EntryHeader, 'type'>,
): Generator<Buffer> {
  const sizeBytes = Number(stat.size);
  yield encodeHeader({ ...header, type: 'file', sizeBytes });
  // The magic link of the O_PATH descriptor reopens this very file, whose type is already known.
  const data = openat2(-100, `/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK, 0);
  try {
    for (let offset = 0; offset < sizeBytes; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, sizeBytes - offset));
      const count = readSync(data, buffer, 0, buffer.length, offset);
      // A short read means that the file shrank.
      if (count < buffer.length) buffer.fill(0, count);
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
  { ids, latestNanos }: Reading,
): Omit<EntryHeader, 'type'> {
  const isLater = latestNanos !== undefined && stat.mtimeNs > latestNanos;
  return {
    name,
    mode: Number(stat.mode & 0o7777n),
    uid: shownId(ids?.uids, Number(stat.uid)),
    gid: shownId(ids?.gids, Number(stat.gid)),
    sizeBytes: 0,
    modifiedNanos: isLater ? latestNanos : stat.mtimeNs,
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
