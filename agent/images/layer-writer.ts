/**
 * Writes a layer's entries into an empty directory as an overlayfs lower. Every call uses a descriptor, and parents
 * are opened with openat2(2) beneath the layer's root, so that no name or link in the archive reaches a file outside
 * (CVE-2019-14271 and similar). All calls are synchronous.
 */
import { closeSync, constants, fchmodSync, ftruncateSync, writeSync } from 'node:fs';
import {
  fchmodat,
  lchownat,
  linkat,
  mknodat,
  O_NOFOLLOW,
  oneName,
  openat2,
  symlinkat,
  utimensat,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { removeTreeAt } from '../kernel/remove-tree.ts';
import { inUserNamespace } from '../kernel/user-namespaces.ts';
import { checkDevice } from './layer-device.ts';
import { LayerDirectories } from './layer-directories.ts';
import { LayerError } from './layer-error.ts';
import { diskFull, type UnpackBudget } from './layer-limits.ts';
import { componentsOf, kernelName, markingOf } from './layer-path.ts';
import { keepXattrs } from './layer-xattr.ts';
import type { TarEntry, TarSink } from './tar-reader.ts';

/** Target of an entry: an open parent directory and a base name as bytes. */
interface Place {
  parentFd: number;
  base: string;
}

export class LayerWriter implements TarSink {
  readonly #directories: LayerDirectories;
  readonly #budget: UnpackBudget;
  #entry: TarEntry | undefined;
  /** The regular file that is being written. */
  #file: { fd: number; place: Place } | undefined;
  #fileBytes = 0;

  constructor(rootFd: number, budget: UnpackBudget) {
    this.#directories = new LayerDirectories(rootFd);
    this.#budget = budget;
  }

  /** Bytes of all regular files, which is Docker's size of a layer. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.#budget.entry(entry.name, entry.storedBytes);
    this.#named(entry, () => this.#make(entry, componentsOf(entry.name)));
  }

  data(bytes: Buffer, offset: number): void {
    const file = this.#file;
    const entry = this.#entry;
    // Data of entries that are not kept, such as a whiteout with content, is dropped.
    if (file === undefined || entry === undefined) return;
    this.#named(entry, () => {
      let written = 0;
      while (written < bytes.length)
        written += writeSync(file.fd, bytes, written, bytes.length - written, offset + written);
    });
  }

  endEntry(): void {
    const file = this.#file;
    const entry = this.#entry;
    if (file === undefined || entry === undefined) return;
    this.#named(entry, () => {
      this.#file = undefined;
      withFd(file.fd, (fd) => {
        // Without data a hole at the end does not extend the file.
        if (entry.sizeBytes !== entry.storedBytes) ftruncateSync(fd, entry.sizeBytes);
        this.#fileBytes += entry.sizeBytes;
        lchownat(fd, '', entry.uid, entry.gid);
        // chown(2) clears set-user-id bits and capabilities, so mode and attributes are set after it.
        fchmodSync(fd, entry.mode);
        keepXattrs(fd, entry);
      });
      this.#keepTimes(file.place, entry);
    });
  }

  /** Sets the times of directories, which change with every file created in them. */
  finish(): void {
    this.#directories.keepTimes();
  }

  /** May be called repeatedly. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.fd);
    this.#file = undefined;
    this.#directories.close();
  }

  #make(entry: TarEntry, components: string[]): void {
    const base = components.at(-1);
    if (base === undefined) {
      if (entry.type !== 'directory')
        throw new LayerError('the layer’s root is not a directory', entry.name);
      this.#directoryAttributes(components, entry);
      return;
    }
    const parents = components.slice(0, -1);
    const marking = markingOf(base, entry.name);
    if (marking.kind === 'auxiliary') return;
    if (parents.some((name) => markingOf(name, entry.name).kind !== 'none')) {
      // AUFS's own directories contain nothing of the image.
      if (parents.some((name) => markingOf(name, entry.name).kind === 'auxiliary')) return;
      throw new LayerError('a path goes through a whiteout', entry.name);
    }
    const parentFd = this.#directories.open(parents, entry.name);
    if (marking.kind === 'opaque') this.#directories.markOpaque(parents, entry.name);
    else if (marking.kind === 'whiteout') whiteOut({ parentFd, base: marking.name });
    else this.#create(entry, components, { parentFd, base });
  }

  #create(entry: TarEntry, components: string[], place: Place): void {
    const name = kernelName(place.base);
    switch (entry.type) {
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | O_NOFOLLOW;
        const fd = this.#replacing(place, () =>
          openat2(place.parentFd, name, flags, oneName, 0o600),
        );
        this.#file = { fd, place };
        return;
      }
      case 'directory':
        this.#directories.make(place.parentFd, place.base);
        this.#directoryAttributes(components, entry);
        return;
      case 'hardlink':
        this.#hardLink(entry, place);
        return;
      case 'symlink':
        if (entry.linkName === '')
          throw new LayerError('a symbolic link has an empty target', entry.name);
        this.#replacing(place, () => symlinkat(kernelName(entry.linkName), place.parentFd, name));
        lchownat(place.parentFd, name, entry.uid, entry.gid);
        this.#keepTimes(place, entry);
        return;
      default:
        this.#node(entry, place);
    }
  }

  #hardLink(entry: TarEntry, place: Place): void {
    const target = componentsOf(entry.linkName);
    const base = target.at(-1);
    if (base === undefined) throw new LayerError('a hard link to the root', entry.name);
    const toRoot = `${entry.name} -> ${entry.linkName}`;
    const targetFd = this.#directories.openExisting(target.slice(0, -1), toRoot);
    // A link to itself exists already, and replacing it would remove it.
    if (targetFd === place.parentFd && base === place.base) return;
    try {
      this.#replacing(place, () =>
        linkat(targetFd, kernelName(base), place.parentFd, kernelName(place.base)),
      );
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EPERM')) throw error;
      throw new LayerError('a hard link to a file that the layer does not contain', toRoot, error);
    }
  }

  #node(entry: TarEntry, place: Place): void {
    checkDevice(entry);
    const name = kernelName(place.base);
    const type =
      entry.type === 'fifo'
        ? constants.S_IFIFO
        : entry.type === 'block'
          ? constants.S_IFBLK
          : constants.S_IFCHR;
    const device = entry.type === 'fifo' ? [0, 0] : [entry.major, entry.minor];
    try {
      this.#replacing(place, () =>
        mknodat(place.parentFd, name, type | 0o600, device[0], device[1]),
      );
    } catch (error) {
      // Nobody can create a device in a user namespace; every container gets the allowed ones in its own /dev.
      if (entry.type !== 'fifo' && hasErrno(error, 'EPERM') && inUserNamespace()) return;
      throw error;
    }
    lchownat(place.parentFd, name, entry.uid, entry.gid);
    fchmodat(place.parentFd, name, entry.mode);
    this.#keepTimes(place, entry);
  }

  #directoryAttributes(components: string[], entry: TarEntry): void {
    const fd = this.#directories.open(components, entry.name);
    lchownat(fd, '', entry.uid, entry.gid);
    fchmodat(fd, '.', entry.mode);
    keepXattrs(fd, entry);
    this.#directories.remember(components, entry);
  }

  #keepTimes({ parentFd, base }: Place, entry: TarEntry): void {
    const accessed = entry.accessedNanos ?? entry.modifiedNanos;
    utimensat(parentFd, kernelName(base), accessed, entry.modifiedNanos);
  }

  /** A later entry replaces an earlier one of the same name, as in Docker and in tar itself. */
  #replacing<T>(place: Place, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    this.#directories.forget(place.parentFd);
    removeTreeAt(place.parentFd, kernelName(place.base));
    return make();
  }

  /** Adds the name of the entry to an error of the kernel. */
  #named(entry: TarEntry, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (hasErrno(error, 'ENOSPC', 'EDQUOT'))
        throw diskFull('the layer', 'the image store', error);
      if (error instanceof LayerError || !(error instanceof Error) || !('code' in error))
        throw error;
      throw new LayerError(`the layer cannot be unpacked (${error.message})`, entry.name, error);
    }
  }
}

/** Creates a character device 0:0, which hides the lower entry in overlayfs (overlayfs.rst). */
function whiteOut({ parentFd, base }: Place): void {
  try {
    mknodat(parentFd, kernelName(base), constants.S_IFCHR | 0o600, 0, 0);
  } catch (error) {
    // A whiteout hides only lower layers; what this layer has created stays (OCI layer.md).
    if (!hasErrno(error, 'EEXIST')) throw error;
  }
}
