/** Operations on open files. Only reads and fsync are asynchronous, so that a slow disk does not block the others. */
import {
  closeSync,
  fchmodSync,
  fdatasync,
  fsync,
  openSync,
  read,
  readSync,
  writeSync,
} from 'node:fs';
import type { FrameWriter } from '../../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import {
  codeOf,
  fstat,
  type HostOperation,
  handleOf,
  now,
  putStat,
  umask,
} from './host-operation.ts';
import { openFlags } from './shared-folder.ts';

export const open = now((state, request, reply) => {
  const [path, flags, number, prefetch] = [
    request.name(),
    request.u32(),
    request.u64(),
    request.u32(),
  ];
  const isWriting = (flags & 3) !== 0 || (flags & 0o1000) !== 0;
  if (state.isReadOnly && isWriting) throw new LinuxError('EROFS');
  // A new agent repeats requests of the one before, which may have been done, so the name may be gone.
  if (state.handles.has(number)) return;
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

/** Most files are small, so the reply to an open includes the content of a small file. */
function putBeginning(fd: number, size: number, limit: number, reply: FrameWriter): void {
  const length = Math.min(size, limit);
  const data = Buffer.allocUnsafe(length);
  const count = length === 0 ? 0 : readSync(fd, data, 0, length, 0);
  reply.u8(count === size ? 1 : 0).raw(data.subarray(0, count));
}

export const create = now((state, request, reply) => {
  const [path, flags, mode, number] = [request.name(), request.u32(), request.u32(), request.u64()];
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
  // Without a handle no release request will close the file.
  if (number === 0) closeSync(fd);
  else state.handles.set(number, { fd, path });
});

/** A program of this computer may have created the file since the machine's lookup. */
function createOrOpen(place: Buffer, flags: number, mode: number): { fd: number; isNew: boolean } {
  const [creating, exclusive] = [0o100, 0o200];
  try {
    return { fd: openSync(place, openFlags(flags | creating | exclusive), mode), isNew: true };
  } catch (error) {
    if ((flags & exclusive) !== 0 || codeOf(error) !== 'EEXIST') throw error;
    return { fd: openSync(place, openFlags(flags & ~creating)), isNew: false };
  }
}

export const readFile: HostOperation = (state, request, _reply, later) => {
  const [number, offset, length] = [request.u64(), request.u64(), request.u32()];
  const { fd } = handleOf(state, number);
  read(fd, Buffer.allocUnsafe(length), 0, length, offset, (error, count, data) =>
    later(error, (reply) => reply.raw(data.subarray(0, count))),
  );
  return 'later';
};

export const write = now((state, request, reply) => {
  const [number, offset] = [request.u64(), request.u64()];
  const data = request.raw(request.left);
  const { fd, path } = handleOf(state, number);
  for (let at = 0; at < data.length; ) at += writeSync(fd, data, at, data.length - at, offset + at);
  const stats = fstat(fd);
  if (path !== undefined) state.watch.own(path, stats);
  putStat(state, path ?? '', stats, reply);
});

export const release = now((state, request) => {
  const number = request.u64();
  const handle = state.handles.get(number);
  if (handle === undefined) return;
  state.handles.delete(number);
  closeSync(handle.fd);
});

export const sync: HostOperation = (state, request, _reply, later) => {
  const [number, isDataOnly] = [request.u64(), request.u8() !== 0];
  const { fd } = handleOf(state, number);
  const done = (error: NodeJS.ErrnoException | null) => later(error, () => {});
  if (isDataOnly) fdatasync(fd, done);
  else fsync(fd, done);
  return 'later';
};
