/**
 * Operations on open folders: OPENDIR, READDIR, READDIRPLUS, RELEASEDIR. The host lists a folder once per reading
 * from its start; positions are indexes into that list, so they stay valid while names change.
 */
import {
  type FrameReader,
  Stat,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { May, mayAccess } from './access.ts';
import {
  answer,
  copyStat,
  entryOutBytes,
  Linux,
  outHeaderBytes,
  type Question,
  readU64,
  writeU64,
} from './fuse-wire.ts';
import type { Journal, KeptState } from './journal.ts';
import { putNode } from './names.ts';
import type { Node, NodeTable } from './node-table.ts';
import {
  handleFor,
  isWatched,
  nodeOf,
  type Operation,
  pathOf,
  type ShareContext,
} from './share-context.ts';

interface Entry {
  name: string;
  stat: Buffer;
}

interface OpenFolder {
  node: Node;
  /** Time in the table's clock. */
  listedAt: number;
  entries: Entry[] | undefined;
  waiting: ((errno: number) => void)[];
}

type FolderJournal = Pick<Journal, 'openedFolder' | 'closedFolder'>;

const direntBytes = 24;
/** Flags FOPEN_KEEP_CACHE and FOPEN_CACHE_DIR. */
const keepCacheFlag = 1 << 1;
const cacheFlag = 1 << 3;

export class OpenFolders {
  readonly #journal: FolderJournal;
  readonly #folders = new Map<number, OpenFolder>();

  constructor(nodes: NodeTable, journal: FolderJournal, kept?: KeptState) {
    this.#journal = journal;
    for (const [handle, id] of kept?.folders ?? []) {
      const node = nodes.get(id);
      if (node !== undefined) this.#add(handle, node);
    }
  }

  recordAll(): void {
    for (const [handle, { node }] of this.#folders) this.#journal.openedFolder(handle, node.id);
  }

  #add(handle: number, node: Node): void {
    this.#folders.set(handle, { node, listedAt: 0, entries: undefined, waiting: [] });
    this.#journal.openedFolder(handle, node.id);
  }

  opendir: Operation = (share, question) => {
    const node = nodeOf(share, question);
    if (node === undefined) return;
    if (!mayAccess(share, question, node, May.read)) return share.fail(question, Linux.EACCES);
    const handle = handleFor(question);
    this.#add(handle, node);
    const bytes = answer(question.unique, 0, 16);
    writeU64(bytes, outHeaderBytes, handle);
    bytes.writeUInt32LE(this.#cacheFlags(share, node), outHeaderBytes + 8);
    share.reply(question, bytes);
  };

  /**
   * The kernel caches a folder's list and applies the changes that it gets. Changes that it did not get are requested
   * again.
   */
  #cacheFlags({ nodes }: ShareContext, node: Node): number {
    if (!node.isFollowed) return 0;
    const isSame = node.changedAt <= node.cachedAt && node.leftAt <= node.cachedAt;
    node.cachedAt = nodes.clock;
    return cacheFlag | (isSame ? keepCacheFlag : 0);
  }

  releasedir: Operation = (share, question) => {
    const handle = readU64(question.body, 0);
    if (this.#folders.delete(handle)) this.#journal.closedFolder(handle);
    share.fail(question, 0);
  };

  readdir: Operation = (share, question) => this.#read(share, question, false);
  readdirplus: Operation = (share, question) => this.#read(share, question, true);

  #read(share: ShareContext, question: Question, withAttributes: boolean): void {
    const folder = this.#folders.get(readU64(question.body, 0));
    const from = readU64(question.body, 8);
    const room = question.body.readUInt32LE(16);
    if (folder === undefined) {
      share.fail(question, Linux.EBADF);
      return;
    }
    const reply = (entries: readonly Entry[]) =>
      share.reply(
        question,
        withAttributes
          ? packPlus(share, question, folder, entries, from, room)
          : pack(share, question, folder.node, entries, from, room),
      );
    if (from > 0 && folder.entries !== undefined) {
      reply(folder.entries);
      return;
    }
    folder.waiting.push((errno) => {
      if (errno !== 0) share.fail(question, errno);
      else reply(folder.entries ?? []);
    });
    if (folder.waiting.length === 1) list(share, question, folder);
  }
}

function list(share: ShareContext, question: Question, folder: OpenFolder): void {
  const done = (errno: number) => {
    for (const wake of folder.waiting.splice(0)) wake(errno);
  };
  const path = pathOf(share, question, folder.node);
  if (path === undefined) {
    // The folder was removed, and the kernel shows it as empty.
    folder.entries = [];
    done(0);
    return;
  }
  folder.listedAt = share.nodes.clock;
  share.nodes.beginList(folder.node);
  share.link.ask(
    Wire.list,
    (frame) => frame.name(share.nodes.pathOf(folder.node) ?? path),
    (reader) => {
      if (reader.errno !== 0) return done(reader.errno);
      folder.entries = readEntries(reader);
      learnNames(share, folder, folder.entries);
      done(0);
    },
  );
}

function learnNames({ nodes }: ShareContext, folder: OpenFolder, entries: readonly Entry[]): void {
  // An empty list does not show whether the host follows the folder.
  const isFollowed = entries.length > 0 && entries.every(({ stat }) => isWatched(stat));
  if (isFollowed && isFresh(folder))
    nodes.learnNames(
      folder.node,
      entries.map(({ name }) => name),
    );
}

/** Whether nothing has changed since the list was requested. */
const isFresh = ({ node, listedAt }: OpenFolder) =>
  node.changedAt <= listedAt && node.leftAt <= listedAt;

function readEntries(reader: FrameReader): Entry[] {
  const entries: Entry[] = [];
  while (reader.left > 0) entries.push({ name: reader.name(), stat: reader.raw(statBytes) });
  return entries;
}

const sizeOf = (name: string) => (direntBytes + name.length + 7) & ~7;

/** Yields `.` and `..` first, whose attributes the kernel knows itself. */
function* listed(
  node: Node,
  entries: readonly Entry[],
  from: number,
): Generator<{ name: string; stat: Buffer; next: number; isReal: boolean }> {
  const dots = [
    { name: '.', stat: node.stat },
    { name: '..', stat: node.links[0]?.folder.stat ?? node.stat },
  ];
  for (let at = from; at < entries.length + 2; at++) {
    const entry = at < 2 ? dots[at]! : entries[at - 2]!;
    yield { ...entry, next: at + 1, isReal: at >= 2 };
  }
}

function pack(
  share: ShareContext,
  question: Question,
  node: Node,
  entries: readonly Entry[],
  from: number,
  room: number,
): Buffer {
  const bytes = answer(question.unique, 0, room);
  let at = outHeaderBytes;
  for (const { name, stat, next } of listed(node, entries, from)) {
    if (at + sizeOf(name) > bytes.length) break;
    at = putDirent(share, bytes, at, name, stat, next);
  }
  return cut(bytes, at);
}

function packPlus(
  share: ShareContext,
  question: Question,
  folder: OpenFolder,
  entries: readonly Entry[],
  from: number,
  room: number,
): Buffer {
  const bytes = answer(question.unique, 0, room);
  const { node } = folder;
  // Without valid attributes only names are returned.
  const areSure = isFresh(folder);
  let at = outHeaderBytes;
  for (const { name, stat, next, isReal } of listed(node, entries, from)) {
    if (at + entryOutBytes + sizeOf(name) > bytes.length) break;
    if (isReal && areSure) {
      const child = share.nodes.enter(node, name, copyStat(stat));
      child.isFollowed = true;
      putNode(share, question, child, bytes, at);
    }
    at = putDirent(share, bytes, at + entryOutBytes, name, stat, next);
  }
  return cut(bytes, at);
}

function putDirent(
  share: ShareContext,
  bytes: Buffer,
  at: number,
  name: string,
  stat: Buffer,
  next: number,
): number {
  stat.copy(bytes, at, Stat.inode, Stat.inode + 8);
  writeU64(bytes, at + 8, next);
  bytes.writeUInt32LE(name.length, at + 16);
  bytes.writeUInt32LE(share.owners.typeOf(stat) >> 12, at + 20);
  bytes.write(name, at + direntBytes, 'latin1');
  return at + sizeOf(name);
}

function cut(bytes: Buffer, length: number): Buffer {
  bytes.writeUInt32LE(length, 0);
  return bytes.subarray(0, length);
}
