/**
 * A directory that is brought up to date with a client's: entries come as fsutil lists them, a directory before what is
 * in it and siblings in the order of their bytes. What differs is made anew, never changed in place; what is not listed
 * is removed. Whatever a hostile client lists stays below the root: an entry's parent is a directory that was listed
 * just before, and is held by descriptor.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../../../errors.ts';
import {
  fchmodat,
  linkat,
  mkdirat,
  mknodat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  openDirectory,
  symlinkat,
  utimensat,
} from '../../../kernel/files.ts';
import { removeTreeAt } from '../../../kernel/remove-tree.ts';
import type { Stat } from '../../protocol/github.com/tonistiigi/fsutil/types/stat_pb.js';
import { ArrivingFile, hasXattrs, setXattrs } from './arriving-file.ts';
import { kindOf, permissionsOf } from './go-mode.ts';

interface OpenDirectory {
  path: string;
  fd: number;
  /** Names that lie there from before and have not been listed yet. */
  unlisted: Set<string>;
  lastName: string;
}

export class ReceivedTree {
  readonly #root: string;
  /** From the root to the directory whose entries are being listed. */
  readonly #open: OpenDirectory[];
  readonly #files = new Set<string>();
  /** Made when all content is there, since their targets may be under way. */
  readonly #hardLinks: { path: string; target: string }[] = [];
  /** Times of directories change with what is made in them. */
  readonly #directories: { path: string; modTime: bigint }[] = [];
  /** Of files that are kept and have several names: those names were one file. */
  readonly #keptInodes = new Set<bigint>();

  constructor(root: string) {
    this.#root = root;
    const unlisted = new Set(readdirSync(root));
    this.#open = [{ path: '', fd: openDirectory(root), unlisted, lastName: '' }];
  }

  /** Takes one entry; true when it is a file whose content is missing. Throws invalid. */
  list(stat: Stat): boolean {
    const { parent, name } = this.#place(stat.path);
    const old = parent.unlisted.delete(name) ? this.#lstat(stat.path) : undefined;
    switch (kindOf(stat.mode)) {
      case 'directory':
        this.#listDirectory(parent, name, stat, old);
        return false;
      case 'file':
        return this.#listFile(parent, name, stat, old);
      case 'symlink':
        this.#listSymlink(parent, name, stat, old);
        return false;
      case 'fifo':
        this.#listFifo(parent, name, stat, old);
        return false;
      default:
        throw invalid(
          `${stat.path} is a device or something else that a build context cannot hold`,
        );
    }
  }

  /** For a file that `list` said is missing. */
  file(stat: Stat): ArrivingFile {
    return new ArrivingFile(this.#rootFd, stat);
  }

  /** When all is listed and all content is there. */
  finish(): void {
    while (this.#open.length > 1) this.#leave();
    this.#removeUnlisted();
    for (const link of this.#hardLinks) this.#link(link);
    for (const { path, modTime } of this.#directories)
      if (this.#lstat(path)?.mtimeNs !== modTime) utimensat(this.#rootFd, path, modTime, modTime);
  }

  /** Also after a failure. */
  close(): void {
    for (const { fd } of this.#open.splice(0)) closeSync(fd);
  }

  get #rootFd(): number {
    const [root] = this.#open;
    if (root === undefined) throw new Error('the tree is closed');
    return root.fd;
  }

  /** The open directory that an entry lies in; directories that the list has left are closed. */
  #place(path: string): { parent: OpenDirectory; name: string } {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    const directory = slash < 0 ? '' : path.slice(0, slash);
    if (name === '' || name === '.' || name === '..' || slash === 0 || path.includes('\0'))
      throw invalid(
        `the build context has the entry ${JSON.stringify(path)}, which would leave it`,
      );
    while (this.#open.length > 1 && this.#open.at(-1)?.path !== directory) this.#leave();
    const parent = this.#open.at(-1);
    if (parent === undefined || parent.path !== directory)
      throw invalid(
        `the build context has ${JSON.stringify(path)}, but no such directory before it`,
      );
    if (!isAfter(name, parent.lastName))
      throw invalid(`the build context's entry ${JSON.stringify(path)} is out of order`);
    parent.lastName = name;
    return { parent, name };
  }

  #leave(): void {
    this.#removeUnlisted();
    const left = this.#open.pop();
    if (left !== undefined) closeSync(left.fd);
  }

  #removeUnlisted(): void {
    const directory = this.#open.at(-1);
    for (const name of directory?.unlisted ?? []) removeTreeAt(directory?.fd ?? -1, name);
    directory?.unlisted.clear();
  }

  #listDirectory(parent: OpenDirectory, name: string, stat: Stat, old: BigIntStats | undefined) {
    const isThere = old?.isDirectory() ?? false;
    if (old !== undefined && !isThere) removeTreeAt(parent.fd, name);
    if (!isThere) mkdirat(parent.fd, name, 0o700);
    const mode = permissionsOf(stat.mode);
    if (!isThere || permissionsIn(old) !== mode) fchmodat(parent.fd, name, mode);
    const fd = openat2(parent.fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, oneName);
    const unlisted = new Set(isThere ? readdirSync(join(this.#root, stat.path)) : []);
    this.#open.push({ path: stat.path, fd, unlisted, lastName: '' });
    setXattrs(fd, stat);
    this.#directories.push({ path: stat.path, modTime: stat.modTime });
  }

  #listFile(parent: OpenDirectory, name: string, stat: Stat, old: BigIntStats | undefined) {
    const { path, linkname } = stat;
    if (linkname !== '') {
      if (!this.#files.has(linkname))
        throw invalid(
          `${path} is a link to ${JSON.stringify(linkname)}, which is not listed before it`,
        );
      this.#hardLinks.push({ path, target: linkname });
      return false;
    }
    this.#files.add(path);
    if (old !== undefined && this.#isSameFile(stat, old)) return false;
    if (old !== undefined) removeTreeAt(parent.fd, name);
    if (stat.size > 0n) return true;
    // Nothing to wait for.
    this.file(stat).endSync();
    return false;
  }

  /** Size, time and mode are what BuildKit compares as well (fsutil, DiffMetadata). */
  #isSameFile(stat: Stat, old: BigIntStats): boolean {
    const same =
      old.isFile() &&
      old.size === stat.size &&
      old.mtimeNs === stat.modTime &&
      permissionsIn(old) === permissionsOf(stat.mode) &&
      hasXattrs(join(this.#root, stat.path), stat);
    if (!same || old.nlink === 1n) return same;
    if (this.#keptInodes.has(old.ino)) return false;
    this.#keptInodes.add(old.ino);
    return true;
  }

  #listSymlink(parent: OpenDirectory, name: string, stat: Stat, old: BigIntStats | undefined) {
    if (old !== undefined) {
      const isSame =
        old.isSymbolicLink() &&
        old.mtimeNs === stat.modTime &&
        readlinkSync(join(this.#root, stat.path)) === stat.linkname;
      if (isSame) return;
      removeTreeAt(parent.fd, name);
    }
    symlinkat(stat.linkname, parent.fd, name);
    utimensat(parent.fd, name, stat.modTime, stat.modTime);
  }

  #listFifo(parent: OpenDirectory, name: string, stat: Stat, old: BigIntStats | undefined) {
    const mode = permissionsOf(stat.mode);
    if (old !== undefined) removeTreeAt(parent.fd, name);
    mknodat(parent.fd, name, constants.S_IFIFO | mode);
    fchmodat(parent.fd, name, mode);
    utimensat(parent.fd, name, stat.modTime, stat.modTime);
  }

  #link({ path, target }: { path: string; target: string }): void {
    const [old, wanted] = [this.#lstat(path), this.#lstat(target)];
    if (old !== undefined && old.ino === wanted?.ino) return;
    if (old !== undefined) removeTreeAt(this.#rootFd, path);
    linkat(this.#rootFd, target, this.#rootFd, path);
  }

  #lstat(path: string): BigIntStats | undefined {
    return lstatSync(join(this.#root, path), { bigint: true, throwIfNoEntry: false });
  }
}

const permissionsIn = (stat: BigIntStats | undefined) => Number((stat?.mode ?? 0n) & 0o7777n);

/** By bytes, as Go compares strings; JavaScript's own order differs beyond U+FFFF. */
function isAfter(name: string, last: string): boolean {
  return last === '' || Buffer.compare(Buffer.from(name), Buffer.from(last)) > 0;
}
