/**
 * Directories of a layer that is being unpacked: each is opened beneath the layer's root, created when missing, and
 * kept open while neighbouring entries need it.
 */
import { closeSync, fstatSync } from 'node:fs';
import {
  mkdirat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  oneName,
  openat2,
  Resolve,
  readlinkBytesAt,
  unlinkat,
  utimensat,
  withFd,
} from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { overlayAttribute } from '../kernel/overlay.ts';
import { setXattr } from '../kernel/xattr.ts';
import { LayerError } from './layer-error.ts';
import { kernelName } from './layer-path.ts';

/** Links in a path are followed, but never out of the layer. */
const inside = Resolve.beneath | Resolve.noMagicLinks;
const maxOpen = 32;
const maxLinks = 40;

interface Times {
  components: string[];
  accessedNanos: bigint;
  modifiedNanos: bigint;
}

export class LayerDirectories {
  readonly #rootFd: number;
  /** O_PATH descriptors by path, least recently used first. */
  readonly #open = new Map<string, number>();
  readonly #times = new Map<string, Times>();

  constructor(rootFd: number) {
    this.#rootFd = rootFd;
  }

  /** Opens a directory with O_PATH and creates missing parents. The descriptor must not be closed by the caller. */
  open(components: string[], forEntry: string): number {
    if (components.length === 0) return this.#rootFd;
    const path = components.join('/');
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    const fd = this.#resolve(components, forEntry) ?? this.#makeAll(components, forEntry);
    return this.#keep(path, fd);
  }

  /** Does the same, but throws LayerError when the directory is missing. */
  openExisting(components: string[], forEntry: string): number {
    if (components.length === 0) return this.#rootFd;
    const path = components.join('/');
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    const fd = this.#resolve(components, forEntry);
    if (fd === undefined)
      throw new LayerError('a hard link to a file that the layer does not contain', forEntry);
    return this.#keep(path, fd);
  }

  /** Creates one directory. An existing one stays, anything else is replaced. */
  make(parentFd: number, base: string): void {
    const name = kernelName(base);
    try {
      mkdirat(parentFd, name, 0o755);
      return;
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
    const hidden = withFd(openat2(parentFd, name, O_PATH | O_NOFOLLOW, inside), (fd) => {
      const stat = fstatSync(fd);
      return stat.isDirectory()
        ? undefined
        : { whiteout: stat.isCharacterDevice() && stat.rdev === 0 };
    });
    if (hidden === undefined) return;
    this.forget(parentFd);
    unlinkat(parentFd, name);
    mkdirat(parentFd, name, 0o755);
    // The layer first hid the lower entry and then created a directory: the lower one stays hidden.
    if (hidden.whiteout) withFd(openat2(parentFd, name, O_PATH, oneName), setOpaque);
  }

  markOpaque(components: string[], forEntry: string): void {
    setOpaque(this.open(components, forEntry));
  }

  /** Stores the times that the directory gets at the end. */
  remember(components: string[], entry: { accessedNanos?: bigint; modifiedNanos: bigint }): void {
    const { modifiedNanos } = entry;
    const accessedNanos = entry.accessedNanos ?? modifiedNanos;
    this.#times.set(components.join('/'), { components, accessedNanos, modifiedNanos });
  }

  keepTimes(): void {
    this.forget();
    for (const { components, accessedNanos, modifiedNanos } of this.#times.values()) {
      let fd: number;
      try {
        fd = openat2(this.#rootFd, pathOf(components), O_PATH | O_DIRECTORY, inside);
      } catch (error) {
        // A later entry has replaced the directory.
        if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EXDEV', 'ELOOP')) continue;
        throw error;
      }
      withFd(fd, () => utimensat(fd, '.', accessedNanos, modifiedNanos));
    }
  }

  /**
   * Closes open directories before a name is replaced, since they may lie below it. The directory that contains the
   * name stays open.
   */
  forget(parentFd?: number): void {
    for (const [path, fd] of this.#open) {
      if (fd === parentFd) continue;
      this.#open.delete(path);
      closeSync(fd);
    }
  }

  close(): void {
    this.forget();
  }

  /** An open directory, which becomes the most recently used. */
  #kept(path: string): number | undefined {
    const fd = this.#open.get(path);
    if (fd === undefined) return undefined;
    this.#open.delete(path);
    this.#open.set(path, fd);
    return fd;
  }

  #keep(path: string, fd: number): number {
    if (this.#open.size >= maxOpen) {
      const [oldest] = this.#open;
      if (oldest !== undefined) {
        this.#open.delete(oldest[0]);
        closeSync(oldest[1]);
      }
    }
    this.#open.set(path, fd);
    return fd;
  }

  /** Opens an existing path, through links inside the layer; `undefined` when a part is missing. */
  #resolve(components: string[], forEntry: string): number | undefined {
    try {
      return openat2(this.#rootFd, pathOf(components), O_PATH | O_DIRECTORY, inside);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (hasErrno(error, 'ELOOP'))
        throw new LayerError('a path has a loop of links', forEntry, error);
      if (!hasErrno(error, 'EXDEV')) throw error;
    }
    return this.#throughAbsoluteLinks(components, forEntry);
  }

  /**
   * Follows links that begin with a slash or climb too high. The layer's root is the container's root, so `/run`
   * means the layer's own `run` (Debian's `var/run`), provided that it exists; a path that climbs above the root or
   * leads to a missing name is refused.
   */
  #throughAbsoluteLinks(components: string[], forEntry: string): number {
    const outside = () => new LayerError('a path goes through a link out of the layer', forEntry);
    let pending = components;
    let done: string[] = [];
    for (let links = 0; pending.length > 0; ) {
      const [next = '', ...rest] = pending;
      pending = rest;
      if (next === '..') {
        if (done.pop() === undefined) throw outside();
        continue;
      }
      const target = this.#linkAt([...done, next]);
      if (target === undefined) done.push(next);
      else {
        if (++links > maxLinks) throw new LayerError('a path has a loop of links', forEntry);
        if (target.startsWith('/')) done = [];
        pending = [...target.split('/').filter((part) => part !== '' && part !== '.'), ...pending];
      }
    }
    try {
      const flags = O_PATH | O_DIRECTORY;
      return openat2(this.#rootFd, pathOf(done), flags, oneName);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV')) throw outside();
      throw error;
    }
  }

  /** Target of a symbolic link as bytes; `undefined` when there is none of that name. */
  #linkAt(components: string[]): string | undefined {
    try {
      return withFd(openat2(this.#rootFd, pathOf(components), O_PATH | O_NOFOLLOW, inside), (fd) =>
        fstatSync(fd).isSymbolicLink() ? readlinkBytesAt(fd, '').toString('latin1') : undefined,
      );
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  /** Creates parents that the archive does not list, as root's with mode 0755, as Docker does. */
  #makeAll(components: string[], forEntry: string): number {
    let parent = openat2(this.#rootFd, '.', O_PATH | O_DIRECTORY, oneName);
    for (let depth = 1; depth <= components.length; depth++) {
      const base = components[depth - 1] ?? '';
      try {
        parent = this.#enter(parent, components.slice(0, depth), base, forEntry);
      } catch (error) {
        closeSync(parent);
        throw error;
      }
    }
    return parent;
  }

  /** Opens a child directory and creates it when missing. Closes `parent`. */
  #enter(parent: number, walked: string[], base: string, forEntry: string): number {
    let fd = this.#resolve(walked, forEntry);
    if (fd === undefined) {
      if (this.#linkAt(walked) !== undefined)
        throw new LayerError(
          'a path goes through a link to a file that the layer does not contain',
          forEntry,
        );
      if (this.#isFile(walked)) throw new LayerError('a path goes through a file', forEntry);
      this.make(parent, base);
      fd = openat2(parent, kernelName(base), O_PATH | O_DIRECTORY, oneName);
    }
    closeSync(parent);
    return fd;
  }

  /** Whether anything but a directory or a whiteout has this path. */
  #isFile(components: string[]): boolean {
    try {
      return withFd(
        openat2(this.#rootFd, pathOf(components), O_PATH | O_NOFOLLOW, inside),
        (fd) => {
          const stat = fstatSync(fd);
          return !(stat.isCharacterDevice() && stat.rdev === 0);
        },
      );
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }
}

function pathOf(components: string[]) {
  return components.length === 0 ? '.' : kernelName(components.join('/'));
}

function setOpaque(fd: number): void {
  setXattr(fd, overlayAttribute('opaque'), Buffer.from('y'));
}
