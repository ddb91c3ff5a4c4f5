/**
 * What a machine can ask about a shared folder, one file call after the other. Only reads and fsync
 * wait for a disk without holding up the rest.
 */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  fchmodSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statfsSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import {
  type FrameReader,
  type FrameWriter,
  joinPath,
  SetAttribute,
  ShareOperation as Wire,
} from '../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import type { FolderWatch } from './folder-watch.ts';
import { openFlags, type SharedFolder } from './shared-folder.ts';
import { statRecord } from './stat-record.ts';

export interface OpenHandle {
  fd: number;
  /** Undefined once its name was taken away. */
  path: string | undefined;
}

export interface FolderState {
  readonly folder: SharedFolder;
  readonly handles: Map<number, OpenHandle>;
  readonly watch: FolderWatch;
}

/** Fills the answer now, or calls `later` with an error or what fills it. */
export type Later = (error: Error | null, fill?: (reply: FrameWriter) => void) => void;
export type HostOperation = (
  state: FolderState,
  request: FrameReader,
  reply: FrameWriter,
  later: Later,
) => 'now' | 'later';

const now =
  (work: (state: FolderState, request: FrameReader, reply: FrameWriter) => void): HostOperation =>
  (state, request, reply) => {
    work(state, request, reply);
    return 'now';
  };

/** From the wire's bytes to what Node takes: the file's own stat is also what the machine knows now. */
function putStat(state: FolderState, path: string, stats: BigIntStats, reply: FrameWriter): void {
  const isWatched = state.watch.isKnown(path, stats);
  reply.raw(statRecord(stats, state.folder.device, isWatched));
}

const lstat = (place: Buffer) => lstatSync(place, { bigint: true });
const fstat = (fd: number) => fstatSync(fd, { bigint: true });

function handleOf(state: FolderState, number: number): OpenHandle {
  const handle = state.handles.get(number);
  if (handle === undefined) throw new LinuxError('EBADF');
  return handle;
}

const lookup = now((state, request, reply) => {
  const path = request.name();
  const place = state.folder.locate(path);
  state.watch.followFolderOf(path);
  const stats = lstat(place);
  // Somebody may listen to a folder without ever reading it.
  if (stats.isDirectory()) state.watch.followFolder(path);
  putStat(state, path, stats, reply);
});

const getattr = now((state, request, reply) => {
  const [number, path] = [request.u32(), request.name()];
  if (path === '' && number !== 0) putStat(state, '', fstat(handleOf(state, number).fd), reply);
  else putStat(state, path, lstat(state.folder.locate(path)), reply);
});

const setattr = now((state, request, reply) => {
  const [number, path, mask] = [request.u32(), request.name(), request.u32()];
  const [mode, size] = [request.u32(), request.u64()];
  const [accessed, modified] = [request.f64(), request.f64()];
  const fd = number === 0 ? undefined : state.handles.get(number)?.fd;
  const isNameless = path === '' && fd !== undefined;
  const place = isNameless ? undefined : state.folder.locate(path);
  if ((mask & SetAttribute.size) !== 0) setSize(place, fd, size);
  if ((mask & SetAttribute.mode) !== 0) setMode(place, fd, mode);
  if ((mask & (SetAttribute.accessed | SetAttribute.modified)) !== 0)
    setTimes(place, fd, mask, accessed, modified);
  if (place === undefined) putStat(state, '', fstat(fd!), reply);
  else {
    const stats = lstat(place);
    state.watch.own(path, stats);
    putStat(state, path, stats, reply);
  }
});

function setSize(place: Buffer | undefined, fd: number | undefined, size: number): void {
  if (fd !== undefined) {
    try {
      ftruncateSync(fd, size);
      return;
    } catch (error) {
      // It is open for reading only; its name may still be good for it.
      if (place === undefined || !['EINVAL', 'EBADF', 'EPERM'].includes(codeOf(error))) throw error;
    }
  }
  if (place === undefined) throw new LinuxError('ESTALE');
  const stats = lstatSync(place);
  if (stats.isDirectory()) throw new LinuxError('EISDIR');
  if (!stats.isFile()) throw new LinuxError('EINVAL');
  truncateSync(place, size);
}

function setMode(place: Buffer | undefined, fd: number | undefined, mode: number): void {
  if (place === undefined) fchmodSync(fd!, mode);
  // chmod(2) follows links, and there is no other; Linux refuses it on links too.
  else if (lstatSync(place).isSymbolicLink()) throw new LinuxError('EOPNOTSUPP');
  else chmodSync(place, mode);
}

function setTimes(
  place: Buffer | undefined,
  fd: number | undefined,
  mask: number,
  accessed: number,
  modified: number,
): void {
  const stats = place === undefined ? fstat(fd!) : lstat(place);
  const current = Date.now() / 1000;
  const pick = (bit: number, asked: number, kept: bigint) => {
    const seconds = (mask & bit) === 0 ? Number(kept) / 1e9 : asked;
    if (Number.isNaN(seconds)) return current;
    // Node takes a negative number for now, and a date for what it is.
    return seconds < 0 ? new Date(seconds * 1000) : seconds;
  };
  const times = [
    pick(SetAttribute.accessed, accessed, stats.atimeNs),
    pick(SetAttribute.modified, modified, stats.mtimeNs),
  ] as const;
  if (place === undefined) futimesSync(fd!, ...times);
  else lutimesSync(place, ...times);
}

const codeOf = (error: unknown) => String((error as NodeJS.ErrnoException).code);

const readlink = now((state, request, reply) => {
  const target = readlinkSync(state.folder.locate(request.name()), { encoding: 'buffer' });
  reply.bytes(target);
});

const symlink = now((state, request, reply) => {
  const path = request.name();
  const target = request.bytes();
  const place = state.folder.locate(path);
  symlinkSync(target, place);
  putNew(state, path, place, reply);
});

function putNew(state: FolderState, path: string, place: Buffer, reply: FrameWriter): void {
  const stats = lstat(place);
  state.watch.followFolderOf(path);
  state.watch.own(path, stats);
  putStat(state, path, stats, reply);
}

/** Bits that this process's own umask takes away although somebody in a container set them. */
const umask = process.umask();

const mkdir = now((state, request, reply) => {
  const [path, mode] = [request.name(), request.u32()];
  const place = state.folder.locate(path);
  mkdirSync(place, { mode });
  if ((mode & (umask | 0o7000)) !== 0) chmodSync(place, mode);
  putNew(state, path, place, reply);
  state.watch.followFolder(path);
});

const unlink = now((state, request) => {
  const path = request.name();
  const place = state.folder.locate(path);
  const { nlink, ino } = lstat(place);
  unlinkSync(place);
  if (nlink > 1n) state.watch.ownLinkChange(ino);
  state.watch.ownRemoval(path);
  for (const handle of state.handles.values()) if (handle.path === path) handle.path = undefined;
});

const rmdir = now((state, request) => {
  const path = request.name();
  rmdirSync(state.folder.locate(path));
  state.folder.forgetFolders();
  state.watch.ownRemoval(path);
});

const RenameFlag = { noReplace: 1, exchange: 2 } as const;

const rename = now((state, request) => {
  const [path, newPath, flags] = [request.name(), request.name(), request.u32()];
  const [from, to] = [state.folder.locate(path), state.folder.locate(newPath)];
  if (flags === RenameFlag.exchange) exchange(state, from, to);
  else {
    if (flags === RenameFlag.noReplace && exists(to)) throw new LinuxError('EEXIST');
    renameSync(from, to);
  }
  state.folder.forgetFolders();
  state.watch.ownRename(path, newPath, flags === RenameFlag.exchange);
  for (const handle of state.handles.values())
    if (handle.path !== undefined) handle.path = movedPath(handle.path, path, newPath);
});

/** Node has no renameat2(2). Nobody in a machine sees the steps between, a program here might. */
function exchange(state: FolderState, from: Buffer, to: Buffer): void {
  lstatSync(from);
  lstatSync(to);
  const aside = Buffer.from(`${state.folder.root}/.corten-exchange-${process.pid}`);
  renameSync(from, aside);
  try {
    renameSync(to, from);
  } catch (error) {
    renameSync(aside, from);
    throw error;
  }
  renameSync(aside, to);
}

function exists(place: Buffer): boolean {
  return lstatSync(place, { throwIfNoEntry: false }) !== undefined;
}

export function movedPath(path: string, from: string, to: string): string {
  if (path === from) return to;
  return path.startsWith(`${from}/`) ? to + path.slice(from.length) : path;
}

const link = now((state, request, reply) => {
  const [path, newPath] = [request.name(), request.name()];
  const [from, to] = [state.folder.locate(path), state.folder.locate(newPath)];
  linkSync(from, to);
  state.watch.own(path, lstat(from));
  putNew(state, newPath, to, reply);
});

const open = now((state, request, reply) => {
  const [path, flags, number, prefetch] = [
    request.name(),
    request.u32(),
    request.u32(),
    request.u32(),
  ];
  const place = state.folder.locate(path);
  const fd = openSync(place, openFlags(flags & ~0o300));
  const stats = fstat(fd);
  if (stats.isDirectory()) {
    closeSync(fd);
    throw new LinuxError('EISDIR');
  }
  if ((flags & 0o1000) !== 0) state.watch.own(path, stats);
  state.handles.set(number, { fd, path });
  putStat(state, path, stats, reply);
  if (prefetch > 0) putBeginning(fd, Number(stats.size), prefetch, reply);
});

/** Most files are small: who opens one gets its content with the answer. */
function putBeginning(fd: number, size: number, limit: number, reply: FrameWriter): void {
  const length = Math.min(size, limit);
  const data = Buffer.allocUnsafe(length);
  const count = length === 0 ? 0 : readSync(fd, data, 0, length, 0);
  reply.u8(count === size ? 1 : 0).raw(data.subarray(0, count));
}

const create = now((state, request, reply) => {
  const [path, flags, mode, number] = [request.name(), request.u32(), request.u32(), request.u32()];
  const place = state.folder.locate(path);
  const { fd, isNew } = createOrOpen(place, flags, mode);
  try {
    if (isNew && (mode & (umask | 0o7000)) !== 0) fchmodSync(fd, mode);
    const stats = fstat(fd);
    if (!stats.isFile()) throw new LinuxError('EISDIR');
    state.watch.followFolderOf(path);
    state.watch.own(path, stats);
    putStat(state, path, stats, reply);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  // Without a handle nobody is going to close it.
  if (number === 0) closeSync(fd);
  else state.handles.set(number, { fd, path });
});

/** Somebody here may have made it since the machine looked. */
function createOrOpen(place: Buffer, flags: number, mode: number): { fd: number; isNew: boolean } {
  const [creating, exclusive] = [0o100, 0o200];
  try {
    return { fd: openSync(place, openFlags(flags | creating | exclusive), mode), isNew: true };
  } catch (error) {
    if ((flags & exclusive) !== 0 || codeOf(error) !== 'EEXIST') throw error;
    return { fd: openSync(place, openFlags(flags & ~creating)), isNew: false };
  }
}

const readFile: HostOperation = (state, request, _reply, later) => {
  const [number, offset, length] = [request.u32(), request.u64(), request.u32()];
  const { fd } = handleOf(state, number);
  read(fd, Buffer.allocUnsafe(length), 0, length, offset, (error, count, data) =>
    later(error, (reply) => reply.raw(data.subarray(0, count))),
  );
  return 'later';
};

const write = now((state, request) => {
  const [number, offset] = [request.u32(), request.u64()];
  const data = request.raw(request.left);
  const { fd, path } = handleOf(state, number);
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at, offset + at);
  if (path !== undefined) state.watch.own(path, fstat(fd));
});

const release = now((state, request) => {
  const number = request.u32();
  const handle = state.handles.get(number);
  if (handle === undefined) return;
  state.handles.delete(number);
  closeSync(handle.fd);
});

const sync: HostOperation = (state, request, _reply, later) => {
  const [number, isDataOnly] = [request.u32(), request.u8() !== 0];
  const { fd } = handleOf(state, number);
  const done = (error: NodeJS.ErrnoException | null) => later(error, () => {});
  if (isDataOnly) fdatasync(fd, done);
  else fsync(fd, done);
  return 'later';
};

/** Entries of one turn: others get theirs between. */
const entriesATurn = 200;

const list: HostOperation = (state, request, _reply, later) => {
  const path = request.name();
  const place = state.folder.locateFolder(path);
  state.watch.followFolder(path);
  const names = readdirSync(place, { encoding: 'buffer' });
  const records: [name: string, record: Buffer][] = [];
  const goOn = () => {
    try {
      for (const name of names.splice(0, entriesATurn)) addEntry(state, path, name, records);
    } catch (error) {
      later(error as Error);
      return;
    }
    if (names.length > 0) setImmediate(goOn);
    else
      later(null, (reply) => {
        for (const [name, record] of records) reply.name(name).raw(record);
      });
  };
  goOn();
  return 'later';
};

function addEntry(
  state: FolderState,
  path: string,
  name: Buffer,
  records: [name: string, record: Buffer][],
): void {
  const text = name.toString('latin1');
  const entry = joinPath(path, text);
  const stats = lstatSync(state.folder.locate(entry), { bigint: true, throwIfNoEntry: false });
  // Gone since the folder was read.
  if (stats === undefined) return;
  const isWatched = state.watch.isKnown(entry, stats);
  if (stats.isDirectory()) state.watch.followSoon(entry);
  records.push([text, statRecord(stats, state.folder.device, isWatched)]);
}

const statfs = now((state, _request, reply) => {
  const { blocks, bfree, bavail, files, ffree, bsize } = statfsSync(state.folder.root);
  reply.u64(blocks).u64(bfree).u64(bavail).u64(files).u64(ffree).u32(bsize);
});

const unwatch = now((state, request) => state.watch.leaveFolder(request.name()));
const watch = now((state, request) => state.watch.followFolder(request.name()));

export const hostOperations = new Map<number, HostOperation>([
  [Wire.lookup, lookup],
  [Wire.getattr, getattr],
  [Wire.setattr, setattr],
  [Wire.readlink, readlink],
  [Wire.symlink, symlink],
  [Wire.mkdir, mkdir],
  [Wire.unlink, unlink],
  [Wire.rmdir, rmdir],
  [Wire.rename, rename],
  [Wire.link, link],
  [Wire.open, open],
  [Wire.create, create],
  [Wire.read, readFile],
  [Wire.write, write],
  [Wire.release, release],
  [Wire.fsync, sync],
  [Wire.list, list],
  [Wire.statfs, statfs],
  [Wire.unwatch, unwatch],
  [Wire.watch, watch],
]);

/** What changes a folder: asked again after a lost connection, it must not be done a second time. */
export const changingOperations = new Set<number>([
  Wire.setattr,
  Wire.symlink,
  Wire.mkdir,
  Wire.unlink,
  Wire.rmdir,
  Wire.rename,
  Wire.link,
  Wire.open,
  Wire.create,
  Wire.write,
  Wire.release,
]);
