/**
 * File calls by descriptor. A path from an image or a person is opened once with openat2(2) inside a root, and from
 * then on only its descriptor is used, so that nothing can exchange the file between a check and a use
 * (CVE-2021-30465 and similar).
 */
import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { posix } from 'node:path';
import { CortenError, invalid } from '../errors.ts';
import { hasErrno, KernelError, libcCall, unthrownSystemCall } from './libc.ts';

export const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;

const { EAGAIN, ENOENT } = osConstants.errno;

export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
export const O_NOFOLLOW = constants.O_NOFOLLOW;
export const O_DIRECTORY = constants.O_DIRECTORY;

/** The `resolve` flags of openat2(2). */
export const Resolve = {
  noXdev: 0x01,
  noMagicLinks: 0x02,
  noSymlinks: 0x04,
  beneath: 0x08,
  inRoot: 0x10,
} as const;

/** Flags for a name with one component, on which nothing may be resolved. */
export const oneName = Resolve.beneath | Resolve.noSymlinks | Resolve.noMagicLinks;

const openat2Call = unthrownSystemCall(437, ['int', 'str', 'void *', 'size_t']);
const mkdiratCall = libcCall('mkdirat', ['int', 'str', 'uint']);
const mknodatCall = libcCall('mknodat', ['int', 'str', 'uint', 'uint64']);
const symlinkatCall = libcCall('symlinkat', ['str', 'int', 'str']);
const linkatCall = libcCall('linkat', ['int', 'str', 'int', 'str', 'int']);
const unlinkatCall = libcCall('unlinkat', ['int', 'str', 'int']);
const renameatCall = libcCall('renameat', ['int', 'str', 'int', 'str']);
const fchownatCall = libcCall('fchownat', ['int', 'str', 'uint', 'uint', 'int']);
const fchmodatCall = libcCall('fchmodat', ['int', 'str', 'uint', 'int']);
const utimensatCall = libcCall('utimensat', ['int', 'str', 'void *', 'int']);
const statxCall = libcCall('statx', ['int', 'str', 'int', 'uint', 'void *']);
const futimensCall = libcCall('futimens', ['int', 'void *']);
const readlinkatCall = libcCall('readlinkat', ['int', 'str', 'void *', 'size_t'], 'long');

/**
 * A name for the kernel: a string, or raw bytes with a final NUL for a name that is not UTF-8, which image layers may
 * contain.
 */
export type FileName = string | Buffer;

/** Formats a name for an error. */
function shown(name: FileName): string {
  return typeof name === 'string' ? name : name.toString('utf8', 0, name.length - 1);
}

/** Number of tries: openat2(2) fails with EAGAIN when `..` races with a rename. */
const maxRaces = 32;

/** Calls openat2(2). O_CLOEXEC is always added, because all threads of the process share descriptors. */
export function openat2(
  directoryFd: number,
  path: FileName,
  flags: number,
  resolve: number,
  mode = 0,
): number {
  const fd = openUnthrown(directoryFd, path, flags, resolve, mode);
  if (fd < 0) throw new KernelError('openat2', -fd, shown(path));
  return fd;
}

function openUnthrown(
  directoryFd: number,
  path: FileName,
  flags: number,
  resolve: number,
  mode = 0,
): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  for (let attempt = 0; ; attempt++) {
    const fd = openat2Call(directoryFd, path, how, how.length);
    if (fd !== -EAGAIN || attempt === maxRaces) return fd;
  }
}

/** Opens `path` as a process with the root `rootFd` would; magic links are refused. */
export function openInRoot(rootFd: number, path: FileName, flags: number, mode = 0): number {
  return openat2(rootFd, path, flags, Resolve.inRoot | Resolve.noMagicLinks, mode);
}

/** Does the same, but returns `undefined` when the file is absent, which is cheaper than an error object. */
export function openInRootIfAny(rootFd: number, path: FileName, flags: number): number | undefined {
  const fd = openUnthrown(rootFd, path, flags, Resolve.inRoot | Resolve.noMagicLinks);
  if (fd >= 0) return fd;
  if (fd === -ENOENT) return undefined;
  throw new KernelError('openat2', -fd, shown(path));
}

/** Does the same without following links; `undefined` also for a link in the path or a file that cannot be opened. */
export function openPlainInRoot(rootFd: number, path: FileName, flags: number): number | undefined {
  const fd = openUnthrown(rootFd, path, flags, Resolve.inRoot | Resolve.noSymlinks);
  return fd < 0 ? undefined : fd;
}

/** Opens a directory of the machine with O_PATH. */
export function openDirectory(path: string): number {
  return openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
}

/** Runs `use` with a descriptor and closes it afterwards. */
export function withFd<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Text of a regular file inside a root; `undefined` when there is none. Throws invalid when it is no regular file or
 * larger than `maxBytes`. An image or a container chose the file: opening a FIFO blocks, and opening a device can
 * have effects (a watchdog starts), with the agent's rights; so its type is checked through an O_PATH descriptor
 * first.
 */
export function readTextInRoot(
  rootFd: number,
  path: string,
  maxBytes = 1024 * 1024,
): string | undefined {
  let fd: number;
  try {
    fd = openInRoot(rootFd, path, O_PATH);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  return withFd(fd, () => {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw invalid(`${path} in the image is not a regular file`);
    if (stat.size > maxBytes)
      throw new CortenError('invalid', `${path} in the image is larger than ${maxBytes} bytes`);
    // The descriptor's magic link opens the checked file, whatever its name is now.
    const file = openat2(AT_FDCWD, `/proc/thread-self/fd/${fd}`, constants.O_RDONLY, 0);
    return withFd(file, () => readText(file, stat.size));
  });
}

function readText(fd: number, sizeBytes: number): string {
  const buffer = Buffer.alloc(sizeBytes);
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, null);
    if (count === 0) break;
    length += count;
  }
  return buffer.toString('utf8', 0, length);
}

/** Path of an open file as the calling thread sees it (proc_pid_fd(5)): only for comparisons. */
export function nameOfDescriptor(fd: number): string {
  return readlinkat(AT_FDCWD, `/proc/thread-self/fd/${fd}`);
}

/**
 * Creates `path` and its missing parents as directories inside a root, and returns an O_PATH descriptor of the last
 * one. Symbolic links are followed only inside the root, as the container would.
 */
export function makeDirectoriesInRoot(rootFd: number, path: string, mode = 0o755): number {
  const components = path.split('/').filter((part) => part !== '' && part !== '.');
  return openOrMakeDirectory(rootFd, components, mode);
}

/** Number of links that the kernel follows in one path (path_resolution(7)). */
const maxLinks = 40;

/**
 * Opens `path` inside a root with O_PATH. A missing file is created empty, with its parents, even as the target of
 * dangling links of an image.
 */
export function openOrMakeFileInRoot(rootFd: number, path: string): number {
  let current = path;
  for (let links = 0; links < maxLinks; links++) {
    try {
      return openInRoot(rootFd, current, O_PATH);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    const { dir, base } = posix.parse(current);
    const target = withFd(makeDirectoriesInRoot(rootFd, dir), (parent) => makeFile(parent, base));
    if (target !== undefined) current = posix.resolve('/', dir, target);
  }
  throw invalid(`${path} leads in circles`);
}

/** Creates the file. Returns the link's target when a link has the name, otherwise `undefined`. */
function makeFile(parentFd: number, name: string): string | undefined {
  try {
    mknodat(parentFd, name, constants.S_IFREG | 0o644);
    return undefined;
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
  return readlinkat(parentFd, name);
}

/** Starts with the whole path, because mostly nothing is missing. */
function openOrMakeDirectory(rootFd: number, components: readonly string[], mode: number): number {
  const path = `/${components.join('/')}`;
  const flags = O_PATH | O_DIRECTORY;
  const name = components.at(-1);
  if (name === undefined) return openInRoot(rootFd, path, flags);
  const there = openInRootIfAny(rootFd, path, flags);
  if (there !== undefined) return there;
  withFd(openOrMakeDirectory(rootFd, components.slice(0, -1), mode), (parent) => {
    if (name !== '..') makeDirectory(parent, name, mode);
  });
  return openInRoot(rootFd, path, flags);
}

function makeDirectory(parentFd: number, name: string, mode: number): void {
  try {
    mkdirat(parentFd, name, mode);
  } catch (error) {
    // A dangling link or another process has the name; opening it shows which.
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}

export function mkdirat(directoryFd: number, name: FileName, mode: number): void {
  mkdiratCall(shown(name), directoryFd, name, mode);
}

/** Calls mknodat(2). `mode` contains the type bits; `major` and `minor` are 0 unless it is a device. */
export function mknodat(
  directoryFd: number,
  name: FileName,
  mode: number,
  major = 0,
  minor = 0,
): void {
  mknodatCall(shown(name), directoryFd, name, mode, makeDevice(major, minor));
}

/** Encodes a dev_t as glibc does (makedev(3)). */
export function makeDevice(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) |
    ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) |
    (low & 0xffn)
  );
}

/** Splits a dev_t, such as Node's `rdev`, into major and minor (makedev(3)). */
export function splitDevice(device: number | bigint): { major: number; minor: number } {
  const value = BigInt(device);
  return {
    major: Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)),
    minor: Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn)),
  };
}

export function symlinkat(target: FileName, directoryFd: number, name: FileName): void {
  symlinkatCall(shown(name), target, directoryFd, name);
}

/** Creates a hard link; symbolic links are not followed. */
export function linkat(fromFd: number, from: FileName, toFd: number, to: FileName): void {
  linkatCall(shown(to), fromFd, from, toFd, to, 0);
}

export function unlinkat(directoryFd: number, name: FileName): void {
  unlinkatCall(shown(name), directoryFd, name, 0);
}

export function rmdirat(directoryFd: number, name: FileName): void {
  unlinkatCall(shown(name), directoryFd, name, AT_REMOVEDIR);
}

export function renameat(fromFd: number, from: FileName, toFd: number, to: FileName): void {
  renameatCall(shown(to), fromFd, from, toFd, to);
}

/** Changes the owner without following a symbolic link. With an empty name it changes the descriptor's file. */
export function lchownat(directoryFd: number, name: FileName, uid: number, gid: number): void {
  fchownatCall(
    shown(name),
    directoryFd,
    name,
    uid,
    gid,
    name === '' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW,
  );
}

/** Changes the mode. It follows a symbolic link in the last component, so it must not be called on one. */
export function fchmodat(directoryFd: number, name: FileName, mode: number): void {
  fchmodatCall(shown(name), directoryFd, name, mode, 0);
}

/** Sets access and modification time of `name` itself, in nanoseconds since 1970. */
export function utimensat(
  directoryFd: number,
  name: FileName,
  accessedNanos: bigint,
  modifiedNanos: bigint,
): void {
  const times = Buffer.alloc(32);
  for (const [index, nanos] of [accessedNanos, modifiedNanos].entries()) {
    const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    times.writeBigInt64LE((nanos - fraction) / 1_000_000_000n, index * 16);
    times.writeBigInt64LE(fraction, index * 16 + 8);
  }
  utimensatCall(shown(name), directoryFd, name, times, AT_SYMLINK_NOFOLLOW);
}

const AT_STATX_FORCE_SYNC = 0x2000;
const STATX_BASIC_STATS = 0x7ff;
const statxBytes = 256;

/** Makes a remote file system (FUSE) fetch a file's attributes again, whatever is cached. */
export function refreshAttributes(directoryFd: number, name: FileName): void {
  const flags = AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC;
  const unused = Buffer.alloc(statxBytes);
  statxCall(shown(name), directoryFd, name, flags, STATX_BASIC_STATS, unused);
}

const UTIME_OMIT = 0x3ffffffen;

/** Sets only an open file's modification time, which the kernel treats as a change of content. */
export function setModified(fd: number, nanos: bigint): void {
  const times = Buffer.alloc(32);
  times.writeBigInt64LE(UTIME_OMIT, 8);
  times.writeBigInt64LE(nanos / 1_000_000_000n, 16);
  times.writeBigInt64LE(nanos % 1_000_000_000n, 24);
  futimensCall(undefined, fd, times);
}

export function readlinkat(directoryFd: number, name: FileName): string {
  return readlinkBytesAt(directoryFd, name).toString('utf8');
}

/** Target of a link as raw bytes, without a final NUL. */
export function readlinkBytesAt(directoryFd: number, name: FileName): Buffer {
  const buffer = Buffer.alloc(4096);
  const length = readlinkatCall(shown(name), directoryFd, name, buffer, buffer.length);
  return buffer.subarray(0, length);
}

/** Creates a FIFO at a trusted path. */
export function makeFifo(path: string, mode: number): void {
  mknodat(AT_FDCWD, path, constants.S_IFIFO | mode);
}
