/**
 * Operations on open files: OPEN, CREATE, READ, WRITE, FLUSH, FSYNC, RELEASE.
 *
 * A write is answered when it was sent, up to a limit; the next write, fsync or close of the same open file returns
 * its error, as with a network file system. The host executes writes in order and before later requests, so nobody
 * sees an older state.
 */
import { joinPath, pieceBytes, statBytes, ShareOperation as Wire } from '../contract/share-wire.ts';
import { May, mayAccess } from './access.ts';
import {
  answer,
  copyStat,
  entryOutBytes,
  Linux,
  outHeaderBytes,
  type Question,
  readName,
  readU64,
  writeU64,
} from './fuse-wire.ts';
import type { Journal, KeptState } from './journal.ts';
import { putNode } from './names.ts';
import { isSameContent, keyOf, type Node } from './node-table.ts';
import {
  mayOpenLater,
  O_ACCMODE,
  O_CREAT,
  O_DSYNC,
  O_EXCL,
  O_TRUNC,
  O_WRONLY,
  rightsOf,
} from './open-flags.ts';
import { fromPrefetched, type Prefetched, readPieces, replyData } from './read-pieces.ts';
import {
  handleFor,
  isWatched,
  nodeOf,
  type Operation,
  once,
  pathOf,
  refused,
  type ShareContext,
} from './share-context.ts';

/** Bytes that were written but not confirmed by the host; small requests wait behind them. */
export const mostUnconfirmedBytes = 4 * 1024 * 1024;
/** Bytes that the host sends with an opened file, which is all of most files. */
const prefetchBytes = 64 * 1024;
const keepCacheFlag = 2;
/** FOPEN_NOFLUSH: closing a file that was only read has no error to report. */
const noFlushFlag = 1 << 5;
export interface OpenFile {
  readonly handle: number;
  readonly node: Node;
  readonly flags: number;
  /** Bytes that were sent and not confirmed. */
  unconfirmedBytes: number;
  /** Error of a write that was answered already. */
  errno: number;
  prefetched: Prefetched | undefined;
  waiting: (() => void)[];
  /** True when the host has not opened it: the kernel's pages may contain everything that is read. */
  isLazy: boolean;
}

export class OpenFiles {
  readonly #share: ShareContext;
  readonly #journal: Pick<Journal, 'opened' | 'closed'>;
  readonly #files = new Map<number, OpenFile>();
  #unconfirmedBytes = 0;
  #heldBack: (() => void)[] = [];

  constructor(share: ShareContext, journal: Pick<Journal, 'opened' | 'closed'>, kept?: KeptState) {
    this.#share = share;
    this.#journal = journal;
    for (const { handle, node: id, flags, isLazy, isUnsure } of kept?.files.values() ?? []) {
      const node = share.nodes.get(id);
      if (node === undefined) continue;
      const file = this.#add(handle, node, flags, isLazy);
      // Answered writes may have been lost with the earlier agent.
      if (isUnsure) file.errno = Linux.EIO;
    }
  }

  /** Whether the host has confirmed all writes. */
  get isConfirmed(): boolean {
    return this.#unconfirmedBytes === 0;
  }

  recordAll(): void {
    for (const file of this.#files.values()) this.#record(file);
  }

  open: Operation = (share, question) => {
    const node = nodeOf(share, question);
    if (node === undefined) return;
    const flags = question.body.readUInt32LE(0);
    if (!mayAccess(share, question, node, rightsOf(flags)))
      return share.fail(question, Linux.EACCES);
    share.whenTold(node, () => this.#open(share, question, node, flags));
  };

  #open(share: ShareContext, question: Question, node: Node, flags: number): void {
    const path = share.nodes.pathOf(node);
    if (path === undefined) {
      share.fail(question, Linux.ESTALE);
      return;
    }
    const handle = handleFor(question);
    if (mayOpenLater(node, flags)) {
      this.#add(handle, node, flags, true);
      replyOpened(share, question, handle, keepCacheFlag | noFlushFlag);
      return;
    }
    const askedAt = share.nodes.clock;
    if ((flags & O_TRUNC) !== 0) share.nodes.touch(node);
    const isRead = (flags & O_ACCMODE) !== O_WRONLY && (flags & O_TRUNC) === 0;
    share.link.ask(
      Wire.open,
      (frame) =>
        frame
          .name(share.nodes.pathOf(node) ?? path)
          .u32(flags)
          .u64(handle)
          .u32(isRead ? prefetchBytes : 0),
      (reader) => {
        // Another file may have the name now: with ESTALE the kernel looks it up again.
        if (reader.errno === Linux.ENOENT) {
          share.fail(question, Linux.ESTALE);
          return;
        }
        if (refused(share, question, reader)) return;
        const stat = reader.raw(statBytes);
        const isSameFile = keyOf(stat) === node.key;
        // The request was sent before the connection was back and reached another host. An emptied file has no old
        // size.
        const isLost = node.attributesLostAt > 0 && (flags & O_TRUNC) === 0;
        if (!isSameFile || isLost || !share.isAwaited(question)) {
          share.link.tell(Wire.release, (frame) => frame.u64(handle));
          // The name means another file since the kernel's lookup.
          if (!isSameFile) share.fail(question, Linux.ESTALE);
          else if (isLost) share.whenTold(node, () => this.#open(share, question, node, flags));
          return;
        }
        const isSame = isWatched(stat) ? node.staleTells === 0 : isSameContent(node.stat, stat);
        const file = this.#add(handle, node, flags);
        if (isRead) {
          const isWhole = reader.u8() !== 0;
          file.prefetched = { data: reader.raw(reader.left), isWhole, at: askedAt };
        }
        if (isRead && isWatched(stat)) node.readableAt = askedAt;
        const isReadOnly = (flags & O_ACCMODE) === 0;
        const kept = isSame ? keepCacheFlag : 0;
        replyOpened(share, question, handle, kept | (isReadOnly ? noFlushFlag : 0));
      },
      // A repeated request would truncate the file twice and lose writes in between.
      (flags & O_TRUNC) === 0 ? {} : once(question),
    );
  }

  /** Opens the node's files on the host before a name is removed, so that they stay open. */
  openNow(node: Node): void {
    for (const handle of node.handles) {
      const file = this.#files.get(handle);
      if (file?.isLazy) this.#openNow(file, () => {});
    }
  }

  /** Opens a file; the host executes requests in order, so nothing has to wait. */
  #openNow(file: OpenFile, onRefused: (errno: number) => void): void {
    const path = this.#share.nodes.pathOf(file.node);
    file.isLazy = false;
    this.#record(file);
    if (path === undefined) {
      onRefused(Linux.ESTALE);
      return;
    }
    this.#share.link.ask(
      Wire.open,
      (frame) =>
        frame
          .name(this.#share.nodes.pathOf(file.node) ?? path)
          .u32(file.flags)
          .u64(file.handle)
          .u32(0),
      ({ errno }) => errno !== 0 && onRefused(errno),
    );
  }

  create: Operation = (share, question) => {
    const flags = question.body.readUInt32LE(0);
    const mode = question.body.readUInt32LE(4) & 0o7777;
    const { name } = readName(question.body, 16);
    const folder = nodeOf(share, question);
    const folderPath = folder && pathOf(share, question, folder);
    if (folder === undefined || folderPath === undefined) return;
    if (name.length > 255) return share.fail(question, Linux.ENAMETOOLONG);
    if (!mayAccess(share, question, folder, May.write | May.execute))
      return share.fail(question, Linux.EACCES);
    const handle = handleFor(question);
    const pathNow = () => joinPath(share.nodes.pathOf(folder) ?? folderPath, name);
    share.link.ask(
      Wire.create,
      (frame) => frame.name(pathNow()).u32(flags).u32(mode).u64(handle),
      (reader) => {
        if (refused(share, question, reader)) return;
        const stat = copyStat(reader.raw(statBytes));
        if (!share.isAwaited(question)) {
          share.link.tell(Wire.release, (frame) => frame.u64(handle));
          share.madeUnheard(pathNow(), stat);
          return;
        }
        const node = share.nodes.enter(folder, name, stat);
        this.#add(handle, node, flags);
        const bytes = answer(question.unique, 0, entryOutBytes + 16);
        putNode(share, question, node, bytes, outHeaderBytes);
        writeU64(bytes, outHeaderBytes + entryOutBytes, handle);
        bytes.writeUInt32LE(keepCacheFlag, outHeaderBytes + entryOutBytes + 8);
        share.reply(question, bytes);
      },
      once(question),
    );
  };

  read: Operation = (share, question) => {
    const handle = readU64(question.body, 0);
    const offset = readU64(question.body, 8);
    const length = question.body.readUInt32LE(16);
    const file = this.#files.get(handle);
    if (file === undefined) return share.fail(question, Linux.EBADF);
    const local = fromPrefetched(file, offset, length);
    if (local !== undefined) return replyData(share, question, local);
    // When the open fails, the read fails too, because nothing is open.
    if (file.isLazy) this.#openNow(file, () => {});
    readPieces(share, question, handle, offset, length);
  };

  write: Operation = (share, question) => {
    const handle = readU64(question.body, 0);
    const offset = readU64(question.body, 8);
    const length = question.body.readUInt32LE(16);
    const flags = question.body.readUInt32LE(32);
    const file = this.#files.get(handle);
    if (file === undefined) return share.fail(question, Linux.EBADF);
    if (file.errno !== 0) return share.fail(question, takeError(file));
    share.nodes.touch(file.node);
    for (let at = 0; at < length; at += pieceBytes) {
      const size = Math.min(pieceBytes, length - at);
      this.#send(file, offset + at, question.body.subarray(40 + at, 40 + at + size));
    }
    const confirm = () => {
      const bytes = answer(question.unique, 0, 8);
      bytes.writeUInt32LE(length, outHeaderBytes);
      share.reply(question, bytes);
    };
    if ((flags & O_DSYNC) !== 0) this.#sync(share, question, file, true, confirm);
    else if (this.#unconfirmedBytes <= mostUnconfirmedBytes) confirm();
    else this.#heldBack.push(confirm);
  };

  whenWritten(node: Node, then: () => void): void {
    for (const handle of node.handles) {
      const file = this.#files.get(handle);
      if (file === undefined || file.unconfirmedBytes === 0) continue;
      file.waiting.push(() => this.whenWritten(node, then));
      return;
    }
    then();
  }

  flush: Operation = (share, question) => {
    const file = this.#files.get(readU64(question.body, 0));
    if (file === undefined) return share.fail(question, Linux.EBADF);
    whenConfirmed(file, () => share.fail(question, takeError(file)));
  };

  fsync: Operation = (share, question) => {
    const file = this.#files.get(readU64(question.body, 0));
    if (file === undefined) return share.fail(question, Linux.EBADF);
    const isDataOnly = (question.body.readUInt32LE(8) & 1) !== 0;
    this.#sync(share, question, file, isDataOnly, () => share.fail(question, takeError(file)));
  };

  /** Releases a handle, also one that the host never opened. */
  release: Operation = (share, question) => {
    const handle = readU64(question.body, 0);
    const file = this.#files.get(handle);
    share.fail(question, 0);
    if (file === undefined) return;
    this.#files.delete(handle);
    this.#journal.closed(handle);
    file.node.handles.delete(handle);
    share.nodes.forget(file.node.id, 0);
    if (file.isLazy) return;
    // A request instead of a message keeps the order after writes, also on another connection.
    share.link.ask(
      Wire.release,
      (frame) => frame.u64(handle),
      () => {},
    );
  };

  /** Files that the host must reopen after its restart. */
  reopenings(): { handle: number; path: string; flags: number }[] {
    return [...this.#files.values()].flatMap(({ handle, node, flags, isLazy }) => {
      const path = this.#share.nodes.pathOf(node);
      return path === undefined || isLazy
        ? []
        : [{ handle, path, flags: flags & ~(O_CREAT | O_EXCL | O_TRUNC) }];
    });
  }

  /** Handles that the host has open. */
  openHandles(): number[] {
    return [...this.#files.values()].filter(({ isLazy }) => !isLazy).map(({ handle }) => handle);
  }

  #add(handle: number, node: Node, flags: number, isLazy = false): OpenFile {
    const file: OpenFile = {
      handle,
      node,
      flags,
      unconfirmedBytes: 0,
      errno: 0,
      prefetched: undefined,
      waiting: [],
      isLazy,
    };
    this.#files.set(handle, file);
    this.#record(file);
    node.handles.add(handle);
    return file;
  }

  #record({ handle, node, flags, isLazy, unconfirmedBytes, errno }: OpenFile): void {
    const isUnsure = unconfirmedBytes > 0 || errno !== 0;
    this.#journal.opened({ handle, node: node.id, flags, isLazy, isUnsure });
  }

  #send(file: OpenFile, offset: number, data: Buffer): void {
    const { length } = data;
    const askedAt = this.#share.nodes.clock;
    file.unconfirmedBytes += length;
    if (file.unconfirmedBytes === length) this.#record(file);
    this.#unconfirmedBytes += length;
    this.#share.link.ask(
      Wire.write,
      (frame) => frame.u64(file.handle).u64(offset).raw(data),
      (reader) => {
        const { errno } = reader;
        if (errno === 0)
          this.#share.nodes.learn(file.node, copyStat(reader.raw(statBytes)), askedAt);
        file.unconfirmedBytes -= length;
        this.#unconfirmedBytes -= length;
        if (errno !== 0 && file.errno === 0) file.errno = errno;
        if (file.unconfirmedBytes === 0) this.#record(file);
        if (file.unconfirmedBytes === 0) for (const wake of file.waiting.splice(0)) wake();
        while (this.#heldBack.length > 0 && this.#unconfirmedBytes <= mostUnconfirmedBytes)
          this.#heldBack.shift()?.();
      },
      { roomBytes: length + 32 },
    );
  }

  #sync(
    share: ShareContext,
    question: Question,
    file: OpenFile,
    isDataOnly: boolean,
    done: () => void,
  ): void {
    share.link.ask(
      Wire.fsync,
      (frame) => frame.u64(file.handle).u8(isDataOnly ? 1 : 0),
      (reader) => {
        if (file.errno !== 0) share.fail(question, takeError(file));
        else if (!refused(share, question, reader)) done();
      },
    );
  }
}

function replyOpened(share: ShareContext, question: Question, handle: number, flags: number): void {
  const bytes = answer(question.unique, 0, 16);
  writeU64(bytes, outHeaderBytes, handle);
  bytes.writeUInt32LE(flags, outHeaderBytes + 8);
  share.reply(question, bytes);
}

function takeError(file: OpenFile): number {
  const { errno } = file;
  file.errno = 0;
  return errno;
}

function whenConfirmed(file: OpenFile, then: () => void): void {
  if (file.unconfirmedBytes === 0) then();
  else file.waiting.push(then);
}
