/** A file of a received tree, from its first byte to its last. */
import { closeSync, constants, fchmodSync, writev, writevSync } from 'node:fs';
import { O_NOFOLLOW, openat2, Resolve, setModified, withFd } from '../../../kernel/files.ts';
import { hasErrno } from '../../../kernel/libc.ts';
import { isOverlayAttribute } from '../../../kernel/overlay.ts';
import { getXattr, setXattr } from '../../../kernel/xattr.ts';
import type { Stat } from '../../protocol/github.com/tonistiigi/fsutil/types/stat_pb.js';
import { permissionsOf } from './go-mode.ts';

/** Small files are written at once when they are whole, larger ones in pieces of this size. */
const pieceBytes = 1024 ** 2;
/** A context's links are a client's: none is followed, wherever it stands in a path. */
const beneath = Resolve.beneath | Resolve.noSymlinks | Resolve.noMagicLinks;
const { O_WRONLY, O_CREAT, O_EXCL } = constants;

export class ArrivingFile {
  readonly #stat: Stat;
  readonly #fd: number;
  #piece: Uint8Array[] = [];
  #pieceBytes = 0;

  constructor(rootFd: number, stat: Stat) {
    this.#stat = stat;
    this.#fd = openat2(rootFd, stat.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, beneath, 0o600);
  }

  /** A promise holds the sender back. */
  write(data: Uint8Array): Promise<void> | undefined {
    this.#piece.push(data);
    this.#pieceBytes += data.length;
    return this.#pieceBytes < pieceBytes ? undefined : this.#flush();
  }

  /** All of it is there. The time comes last: a file that is not whole is not taken for the client's next time. */
  endSync(): void {
    const { mode, modTime } = this.#stat;
    try {
      writeAllSync(this.#fd, this.#piece);
      fchmodSync(this.#fd, permissionsOf(mode));
      setXattrs(this.#fd, this.#stat);
      setModified(this.#fd, modTime);
    } finally {
      closeSync(this.#fd);
    }
  }

  /** After a failure. */
  abandon(): void {
    closeSync(this.#fd);
  }

  async #flush(): Promise<void> {
    const piece = this.#piece;
    this.#piece = [];
    this.#pieceBytes = 0;
    for (let left: Uint8Array[] = piece; left.length > 0; ) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      writev(this.#fd, left, (error, written) => (error ? reject(error) : resolve(written)));
      left = after(left, await promise);
    }
  }
}

function writeAllSync(fd: number, piece: Uint8Array[]): void {
  for (let left = piece; left.length > 0; ) left = after(left, writevSync(fd, left));
}

/** What is left of a list after its first bytes: writev(2) may take a part only. */
function after(list: Uint8Array[], bytes: number): Uint8Array[] {
  let skipped = bytes;
  let index = 0;
  for (; index < list.length; index++) {
    const { length } = list[index] ?? new Uint8Array();
    if (skipped < length) break;
    skipped -= length;
  }
  const [first, ...rest] = list.slice(index);
  return first === undefined ? [] : [first.subarray(skipped), ...rest];
}

/** Attributes that a build context may bring: overlayfs's own would change what the tree's layers mean. */
const attributesOf = ({ xattrs }: Stat) =>
  Object.entries(xattrs).filter(([name]) => !isOverlayAttribute(name));

export function setXattrs(fd: number, stat: Stat): void {
  for (const [name, value] of attributesOf(stat)) {
    try {
      setXattr(fd, name, value);
    } catch (error) {
      // What this file system cannot keep (another's security labels) is left out, as BuildKit does.
      if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL')) throw error;
    }
  }
}

/** Whether a file has all of them with these values. */
export function hasXattrs(path: string, stat: Stat): boolean {
  const attributes = attributesOf(stat);
  if (attributes.length === 0) return true;
  return withFd(openat2(-100, path, constants.O_RDONLY | O_NOFOLLOW, 0), (fd) =>
    attributes.every(([name, value]) => getXattr(fd, name)?.equals(value)),
  );
}
