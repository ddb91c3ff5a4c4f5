/**
 * The directories of a layer that is being unpacked: opened beneath its root, made where missing,
 * and kept open while neighbouring entries need them.
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

/** Links on the way to a directory are followed, but never out of the layer. */
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
  /** Path -> O_PATH descriptor, the longest unused first. */
  readonly #open = new Map<string, number>();
  readonly #times = new Map<string, Times>();

  constructor(rootFd: number) {
    this.#rootFd = rootFd;
  }

  /** An O_PATH descriptor of the directory, which stays ours; missing parents are made. */
  open(components: string[], forEntry: string): number {
    if (components.length === 0) return this.#rootFd;
    const path = components.join('/');
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    const fd = this.#resolve(components, forEntry) ?? this.#makeAll(components, forEntry);
    return this.#keep(path, fd);
  }

  /** The same, but a directory that is not there is an error. */
  openExisting(components: string[], forEntry: string): number {
    if (components.length === 0) return this.#rootFd;
    const path = components.join('/');
    const kept = this.#kept(path);
    if (kept !== undefined) return kept;
    const fd = this.#resolve(components, forEntry);
    if (fd === undefined)
      throw new LayerError('a hard link to what the layer does not hold', forEntry);
    return this.#keep(path, fd);
  }

  /** Makes one directory; one that is there stays, anything else gives way. */
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
    // The layer first hid what lies below and then put a directory there: the lower one stays hidden.
    if (hidden.whiteout) withFd(openat2(parentFd, name, O_PATH, oneName), setOpaque);
  }

  markOpaque(components: string[], forEntry: string): void {
    setOpaque(this.open(components, forEntry));
  }

  /** Keeps what times the directory shall have in the end. */
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
        // A later entry took its place.
        if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EXDEV', 'ELOOP')) continue;
        throw error;
      }
      withFd(fd, () => utimensat(fd, '.', accessedNanos, modifiedNanos));
    }
  }

  /**
   * To be called before a name is replaced, since an open directory may lie below it. The directory
   * that holds the name is not, and stays open.
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

  /** An open directory, which thereby becomes the last that would be closed. */
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

  /** Opens what is there, through links inside the layer; undefined when something is missing. */
  #resolve(components: string[], forEntry: string): number | undefined {
    try {
      return openat2(this.#rootFd, pathOf(components), O_PATH | O_DIRECTORY, inside);
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (hasErrno(error, 'ELOOP')) throw new LayerError('a path runs in circles', forEntry, error);
      if (!hasErrno(error, 'EXDEV')) throw error;
    }
    return this.#throughAbsoluteLinks(components, forEntry);
  }

  /**
   * A link on the way begins with a slash or climbs too high. The container's root is the layer's
   * root, so `/run` means the layer's own `run` (Debian's `var/run`), as long as it is there; what
   * climbs above the root or leads to what the layer does not hold is hostile.
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
        if (++links > maxLinks) throw new LayerError('a path runs in circles', forEntry);
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

  /** The target of a symbolic link, in bytes, or undefined when there is none of that name. */
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

  /** Parents that the archive does not list get root's 0755, as Docker gives them. */
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

  /** From an open directory into one below it, which is made if missing. Closes `parent`. */
  #enter(parent: number, walked: string[], base: string, forEntry: string): number {
    let fd = this.#resolve(walked, forEntry);
    if (fd === undefined) {
      if (this.#linkAt(walked) !== undefined)
        throw new LayerError(
          'a path goes through a link that leads to nothing in the layer',
          forEntry,
        );
      if (this.#isFile(walked)) throw new LayerError('a path goes through a file', forEntry);
      this.make(parent, base);
      fd = openat2(parent, kernelName(base), O_PATH | O_DIRECTORY, oneName);
    }
    closeSync(parent);
    return fd;
  }

  /** Whether something other than a whiteout stands where a directory is wanted. */
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
