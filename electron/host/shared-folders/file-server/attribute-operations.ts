/** Operations on attributes of files: stat, chmod, truncate and times. */
import {
  chmodSync,
  fchmodSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  lutimesSync,
  statfsSync,
  truncateSync,
} from 'node:fs';
import { SetAttribute } from '../../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import { codeOf, fstat, handleOf, lstat, now, putStat } from './host-operation.ts';

export const getattr = now((state, request, reply) => {
  const [number, path] = [request.u64(), request.name()];
  if (path === '' && number !== 0) putStat(state, '', fstat(handleOf(state, number).fd), reply);
  else putStat(state, path, lstat(state.folder.locate(path)), reply);
});

export const setattr = now((state, request, reply) => {
  const [number, path, mask] = [request.u64(), request.name(), request.u32()];
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
      // The handle is open for reading only; the path may still permit the operation.
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
  // chmod(2) follows symbolic links, and Linux has no call that changes a link's own mode.
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
    // Node reads a negative number as the current time, but a Date as it is.
    return seconds < 0 ? new Date(seconds * 1000) : seconds;
  };
  const times = [
    pick(SetAttribute.accessed, accessed, stats.atimeNs),
    pick(SetAttribute.modified, modified, stats.mtimeNs),
  ] as const;
  if (place === undefined) futimesSync(fd!, ...times);
  else lutimesSync(place, ...times);
}

export const statfs = now((state, _request, reply) => {
  const { blocks, bfree, bavail, files, ffree, bsize } = statfsSync(state.folder.root);
  reply.u64(blocks).u64(bfree).u64(bavail).u64(files).u64(ffree).u32(bsize);
});
