/** Operations on names: lookup, create, rename, link and remove. */
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import type { FrameWriter } from '../../../../agent/contract/share-wire.ts';
import { LinuxError } from './errno.ts';
import { type FolderState, lstat, now, putStat, umask } from './host-operation.ts';
import { movedPath } from './shared-folder.ts';

export const lookup = now((state, request, reply) => {
  const path = request.name();
  const place = state.folder.locate(path);
  state.watch.followFolderOf(path);
  const stats = lstat(place);
  // An inotify(7) watch in the machine may wait for changes of a directory that was never read.
  if (stats.isDirectory()) state.watch.followFolder(path);
  putStat(state, path, stats, reply);
});

export const readlink = now((state, request, reply) => {
  const target = readlinkSync(state.folder.locate(request.name()), { encoding: 'buffer' });
  reply.bytes(target);
});

export const symlink = now((state, request, reply) => {
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

export const mkdir = now((state, request, reply) => {
  const [path, mode] = [request.name(), request.u32()];
  const place = state.folder.locate(path);
  mkdirSync(place, { mode });
  if ((mode & (umask | 0o7000)) !== 0) chmodSync(place, mode);
  putNew(state, path, place, reply);
  state.watch.followFolder(path);
  reply.u8(state.watch.isEmpty(path) ? 1 : 0);
});

export const unlink = now((state, request) => {
  const path = request.name();
  const place = state.folder.locate(path);
  const { nlink, ino } = lstat(place);
  unlinkSync(place);
  if (nlink > 1n) state.watch.ownLinkChange(ino);
  state.watch.ownRemoval(path);
  for (const handle of state.handles.values()) if (handle.path === path) handle.path = undefined;
});

export const rmdir = now((state, request) => {
  const path = request.name();
  rmdirSync(state.folder.locate(path));
  state.folder.forgetFolders();
  state.watch.ownRemoval(path);
});

const RenameFlag = { noReplace: 1, exchange: 2 } as const;

export const rename = now((state, request) => {
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

/** Node has no renameat2(2), so an exchange takes three renames. Only programs of this computer can see the steps. */
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

export const link = now((state, request, reply) => {
  const [path, newPath] = [request.name(), request.name()];
  const [from, to] = [state.folder.locate(path), state.folder.locate(newPath)];
  linkSync(from, to);
  state.watch.own(path, lstat(from));
  putNew(state, newPath, to, reply);
});
