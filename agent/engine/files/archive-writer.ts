/**
 * Writes the entries of an archive into a directory of a container, for `docker cp`. Each path is
 * resolved anew inside the container's root by openat2(2), so neither the archive nor a container
 * that swaps links meanwhile can reach anything outside (CVE-2018-15664). Existing files are
 * replaced and never opened for writing. All calls are synchronous.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  writeSync,
} from 'node:fs';
import { CortenError, invalid } from '../../errors.ts';
import { componentsOf, kernelName } from '../../images/layer-path.ts';
import { keepXattrs } from '../../images/layer-xattr.ts';
import type { TarEntry, TarSink } from '../../images/tar-reader.ts';
import {
  fchmodat,
  lchownat,
  linkat,
  mkdirat,
  mknodat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  openInRoot,
  Resolve,
  symlinkat,
  utimensat,
  withFd,
} from '../../kernel/files.ts';
import { hasErrno } from '../../kernel/libc.ts';
import { removeTreeAt } from '../../kernel/remove-tree.ts';
import { asFileOwner, type IdMap, outsideId } from '../../kernel/user-namespaces.ts';

export interface WriteOptions {
  rootFd: number;
  /** An existing directory in the container's root. */
  directory: string;
  noOverwriteDirectoryNonDirectory: boolean;
  /** The owner of everything that is written. Undefined keeps the owners in the archive. */
  owner: { uid: number; gid: number } | undefined;
  /**
   * The container's id map, when its files carry host ids. The archive carries the ids used inside.
   */
  ids: IdMap | undefined;
}

export class ArchiveWriter implements TarSink {
  readonly #options: WriteOptions;
  /** The path of the target, with one character for each byte, like the names in the archive. */
  readonly #base: string;
  readonly #directoryTimes: { path: string; entry: TarEntry }[] = [];
  #entry: TarEntry | undefined;
  #file: number | undefined;

  constructor(options: WriteOptions) {
    this.#options = options;
    this.#base = Buffer.from(options.directory).toString('latin1');
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#asContainerRoot(() => this.#place(entry));
  }

  #place(entry: TarEntry): void {
    const components = componentsOf(entry.name);
    const name = components.pop();
    // The target directory itself is not changed.
    if (name === undefined) return;
    const parent = [this.#base, ...components].join('/');
    withFd(this.#directory(parent), (parentFd) => this.#make(entry, parentFd, parent, name));
  }

  data(bytes: Buffer, offset: number): void {
    if (this.#file === undefined) return;
    for (let done = 0; done < bytes.length; )
      done += writeSync(this.#file, bytes, done, bytes.length - done, offset + done);
  }

  endEntry(): void {
    const fd = this.#file;
    const entry = this.#entry;
    if (fd === undefined || entry === undefined) return;
    this.#file = undefined;
    withFd(fd, () => {
      if (entry.sizeBytes !== entry.storedBytes) ftruncateSync(fd, entry.sizeBytes);
      this.#own(fd, '', entry);
      // Changing the owner clears set-user-id bits and capabilities, so mode and extended
      // attributes come after it.
      fchmodSync(fd, entry.mode);
      keepXattrs(fd, entry);
      const modifiedSeconds = Number(entry.modifiedNanos) / 1e9;
      futimesSync(fd, modifiedSeconds, modifiedSeconds);
    });
  }

  /**
   * Sets the directories' modification times last, because writing files into them changed these.
   */
  finish(): void {
    for (const { path, entry } of this.#directoryTimes)
      withFd(this.#open(path), (fd) =>
        utimensat(fd, '.', entry.modifiedNanos, entry.modifiedNanos),
      );
  }

  /** Can be called more than once. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #make(entry: TarEntry, parentFd: number, parent: string, base: string): void {
    const name = kernelName(base);
    if (entry.type === 'directory') {
      this.#makeDirectory(entry, parentFd, parent, base);
      return;
    }
    // As with dockerd, an archive cannot bring host devices into a container.
    if (entry.type === 'character' || entry.type === 'block') return;
    this.#clear(parentFd, base, false, entry);
    switch (entry.type) {
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
        this.#file = openat2(parentFd, name, flags, oneName, 0o600);
        return;
      }
      case 'symlink':
        symlinkat(kernelName(entry.linkName), parentFd, name);
        break;
      case 'hardlink':
        this.#hardLink(entry, parentFd, base);
        return;
      case 'fifo':
        mknodat(parentFd, name, constants.S_IFIFO | 0o600);
        fchmodat(parentFd, name, entry.mode);
    }
    this.#own(parentFd, name, entry);
    utimensat(parentFd, name, entry.modifiedNanos, entry.modifiedNanos);
  }

  #makeDirectory(entry: TarEntry, parentFd: number, parent: string, base: string): void {
    this.#clear(parentFd, base, true, entry);
    try {
      mkdirat(parentFd, kernelName(base), 0o700);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    withFd(openat2(parentFd, kernelName(base), O_PATH | O_DIRECTORY, oneName), (fd) => {
      this.#own(fd, '', entry);
      fchmodat(fd, '.', entry.mode);
      keepXattrs(fd, entry);
    });
    this.#directoryTimes.push({ path: `${parent}/${base}`, entry });
  }

  #hardLink(entry: TarEntry, parentFd: number, base: string): void {
    const components = componentsOf(entry.linkName);
    const target = components.pop();
    if (target === undefined) throw invalid(`${entry.name} is a hard link to the root`);
    withFd(this.#open([this.#base, ...components].join('/')), (targetFd) =>
      linkat(targetFd, kernelName(target), parentFd, kernelName(base)),
    );
  }

  /** Removes what is in an entry's place. A directory may stay for a directory. */
  #clear(parentFd: number, base: string, forDirectory: boolean, entry: TarEntry): void {
    let isDirectory: boolean;
    try {
      isDirectory = withFd(
        openat2(parentFd, kernelName(base), O_PATH | O_NOFOLLOW, Resolve.beneath),
        (fd) => fstatSync(fd).isDirectory(),
      );
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return;
      throw error;
    }
    if (isDirectory && forDirectory) return;
    if (isDirectory !== forDirectory && this.#options.noOverwriteDirectoryNonDirectory)
      throw invalid(
        isDirectory
          ? `cannot overwrite directory "${entry.name}" with non-directory`
          : `cannot overwrite non-directory "${entry.name}" with directory`,
      );
    removeTreeAt(parentFd, kernelName(base));
  }

  /** Opens a directory of the container and makes it and its parents when they are missing. */
  #directory(path: string): number {
    try {
      return this.#open(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT') || path === this.#base) throw error;
    }
    const slash = path.lastIndexOf('/');
    return withFd(this.#directory(path.slice(0, slash)), (parentFd) => {
      const name = kernelName(path.slice(slash + 1));
      mkdirat(parentFd, name, 0o755);
      if (this.#options.owner !== undefined) this.#give(parentFd, name, this.#options.owner);
      return openat2(parentFd, name, O_PATH | O_DIRECTORY, oneName);
    });
  }

  #open(path: string): number {
    return openInRoot(this.#options.rootFd, kernelName(path), O_PATH | O_DIRECTORY);
  }

  #own(fd: number, name: string | Buffer, entry: TarEntry): void {
    this.#give(fd, name, this.#options.owner ?? entry);
  }

  #give(fd: number, name: string | Buffer, { uid, gid }: { uid: number; gid: number }): void {
    const { ids } = this.#options;
    lchownat(fd, name, outsideId(ids, 'uids', uid), outsideId(ids, 'gids', gid));
  }

  /**
   * Under an id map, a process without an id in that file system cannot even create a file there.
   */
  #asContainerRoot(make: () => void): void {
    const { ids } = this.#options;
    if (ids === undefined) make();
    else asFileOwner(outsideId(ids, 'uids', 0), outsideId(ids, 'gids', 0), make);
  }
}

/** Turns a refusal of the kernel into an error that tells the user what it means. */
export function writeError(path: string, error: unknown): unknown {
  if (hasErrno(error, 'EROFS'))
    return new CortenError('forbidden', `${path} in the container is read-only`, { cause: error });
  if (hasErrno(error, 'ENOSPC', 'EDQUOT'))
    return new CortenError('internal', `no space left in the container for ${path}`, {
      cause: error,
    });
  return error;
}
