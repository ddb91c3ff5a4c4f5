/**
 * Changes that the host made, told to the kernel. FUSE has no way to say "this was changed" so that
 * inotify hears of it: so a thread of ours makes the same change through the mount, and its questions
 * are answered here, without the host, which has made the change already. The kernel then moves its
 * own names and says what it always says: a create is heard as a create, a rename as both its halves.
 */
import type { MessagePort } from 'node:worker_threads';
import {
  ChangeKind,
  type FrameReader,
  Stat,
  splitPath,
  statBytes,
} from '../contract/share-wire.ts';
import { replyAttributes } from './attributes.ts';
import {
  answer,
  copyStat,
  entryOutBytes,
  Linux,
  Opcode,
  outHeaderBytes,
  type Question,
  readName,
} from './fuse-wire.ts';
import { forgetName, putNode, replyNode, replyNothing } from './names.ts';
import { keyOf, type Node } from './node-table.ts';
import type { ShareContext } from './share-context.ts';

/** What the replaying thread is to do. */
export interface ReplayOrder {
  kind: number;
  /** Folder's path below the mount, and its node. */
  folder: string;
  folderNode: number;
  name: string;
  /** Undefined where the kernel knows no such file. */
  node: number | undefined;
  mode: number;
  size: number;
  modifiedNanos: bigint;
  toFolder: string;
  toFolderNode: number;
  toName: string;
}

interface Change {
  kind: number;
  path: string;
  newPath: string;
  stat: Buffer;
}

interface Current {
  change: Change;
  folder: Node;
  toFolder: Node | undefined;
}

const typeMask = 0o170000;
const keepCacheFlag = 2;
/** A name that is about to be made again is there on the host: whoever else looks is to wait for it. */
const forNobodyElse = { entrySeconds: 0, attributeSeconds: 0 };
/** Numbers that no host's file has, for files that were gone before they were seen. */
let lastUnseen = 0;

export class Replay {
  readonly #share: ShareContext;
  readonly #send: (order: ReplayOrder) => void;
  readonly #waiting: Change[] = [];
  #current: Current | undefined;

  constructor(share: ShareContext, send: (order: ReplayOrder) => void) {
    this.#share = share;
    this.#send = send;
  }

  /** Whether all that the host told has reached the kernel. */
  get isIdle(): boolean {
    return this.#current === undefined && this.#waiting.length === 0;
  }

  take(reader: FrameReader): void {
    while (reader.left > 0) {
      const kind = reader.u8();
      const path = reader.name();
      const newPath = kind === ChangeKind.renamed ? reader.name() : '';
      this.#waiting.push({ kind, path, newPath, stat: copyStat(reader.raw(statBytes)) });
    }
    this.#next();
  }

  /** Everything that the kernel knows may have changed: it is to ask again. */
  loseAll(): void {
    for (const node of this.#share.nodes.all()) {
      if (node === this.#share.nodes.root) continue;
      const path = this.#share.nodes.pathOf(node);
      if (path === undefined) continue;
      node.hasStalePages = true;
      node.hasLostAttributes = true;
      this.#waiting.push({ kind: ChangeKind.lost, path, newPath: '', stat: node.stat });
    }
    this.#next();
  }

  /** Every node's attributes, which the kernel is to ask for again. */
  forgetAttributes(): void {
    for (const node of this.#share.nodes.all()) {
      const path = this.#share.nodes.pathOf(node);
      if (path !== undefined)
        this.#waiting.push({ kind: ChangeKind.attributesLost, path, newPath: '', stat: node.stat });
    }
    this.#next();
  }

  /** The thread has carried out its order. */
  done(): void {
    const ended = this.#current;
    this.#current = undefined;
    if (ended !== undefined) this.#settle(ended);
    this.#next();
  }

  #next(): void {
    while (this.#current === undefined) {
      const change = this.#waiting.shift();
      if (change === undefined) return;
      const order = this.#orderOf(change);
      if (order !== undefined) this.#send(order);
    }
  }

  /** Undefined for a place that the kernel has forgotten: nobody can be listening there. */
  #orderOf(change: Change): ReplayOrder | undefined {
    const { nodes } = this.#share;
    const { folder: folderPath, name } = splitPath(change.path);
    const folder = nodes.at(folderPath);
    if (folder === undefined) return undefined;
    const to = splitPath(change.newPath);
    const toFolder = change.kind === ChangeKind.renamed ? nodes.at(to.folder) : undefined;
    if (change.kind === ChangeKind.renamed && toFolder === undefined)
      return this.#orderOf({ ...change, kind: ChangeKind.removed });
    this.#current = { change, folder, toFolder };
    const node = nodes.find(folder, name);
    if (node !== undefined) {
      nodes.touch(node);
      if (change.kind === ChangeKind.modified) node.hasStalePages = true;
    } else folder.changedAt = nodes.clock + 1;
    return {
      kind: change.kind,
      folder: folderPath,
      folderNode: folder.id,
      name,
      node: node?.id,
      mode: change.stat.readUInt32LE(Stat.mode),
      size: Number(change.stat.readBigUInt64LE(Stat.size)),
      modifiedNanos:
        change.stat.readBigInt64LE(Stat.modified) * 1_000_000_000n +
        BigInt(change.stat.readUInt32LE(Stat.modifiedNanos)),
      toFolder: to.folder,
      toFolderNode: toFolder?.id ?? 0,
      toName: to.name,
    };
  }

  /** Whatever the kernel made of it, from here on the table says what the host has. */
  #settle({ change, folder, toFolder }: Current): void {
    const { nodes } = this.#share;
    const { name } = splitPath(change.path);
    const node = nodes.find(folder, name);
    if (change.kind === ChangeKind.removed) forgetName(this.#share, folder, name);
    else if (change.kind === ChangeKind.renamed && node !== undefined && toFolder !== undefined)
      this.#move(folder, name, toFolder, splitPath(change.newPath).name);
    else if (node !== undefined) node.hasStalePages = false;
  }

  #move(folder: Node, name: string, toFolder: Node, newName: string): void {
    const { nodes } = this.#share;
    if (nodes.find(folder, name) !== nodes.find(toFolder, newName))
      forgetName(this.#share, toFolder, newName);
    nodes.move(folder, name, toFolder, newName);
  }

  /** Answers what the replaying thread caused; false for what the host has to answer after all. */
  answer(question: Question): boolean {
    const current = this.#current;
    if (current === undefined) return false;
    const share = this.#share;
    switch (question.opcode) {
      case Opcode.lookup:
        this.#lookup(question, current);
        return true;
      case Opcode.create: {
        const node = this.#target(current);
        const bytes = answer(question.unique, 0, entryOutBytes + 16);
        putNode(share, question, node, bytes, outHeaderBytes);
        bytes.writeUInt32LE(keepCacheFlag, outHeaderBytes + entryOutBytes + 8);
        share.reply(question, bytes);
        return true;
      }
      case Opcode.mkdir:
      case Opcode.mknod:
      case Opcode.symlink:
        replyNode(share, question, this.#target(current));
        return true;
      case Opcode.open: {
        const bytes = answer(question.unique, 0, 16);
        bytes.writeUInt32LE(keepCacheFlag, outHeaderBytes + 8);
        share.reply(question, bytes);
        return true;
      }
      case Opcode.setattr:
      case Opcode.getattr: {
        const node = share.nodes.get(question.node);
        if (node === undefined) share.fail(question, Linux.ESTALE);
        else replyAttributes(share, question, node, this.#statOf(node, current));
        return true;
      }
      case Opcode.unlink:
      case Opcode.rmdir:
        forgetName(share, current.folder, splitPath(current.change.path).name);
        share.fail(question, 0);
        return true;
      case Opcode.rename:
      case Opcode.rename2: {
        const { name } = splitPath(current.change.path);
        if (current.toFolder !== undefined)
          this.#move(
            current.folder,
            name,
            current.toFolder,
            splitPath(current.change.newPath).name,
          );
        share.fail(question, 0);
        return true;
      }
      case Opcode.flush:
      case Opcode.access:
        share.fail(question, 0);
        return true;
      default:
        return false;
    }
  }

  #lookup(question: Question, current: Current): void {
    const { nodes } = this.#share;
    const { name } = readName(question.body, 0);
    const folder = nodes.get(question.node);
    if (folder === undefined) {
      this.#share.fail(question, Linux.ESTALE);
      return;
    }
    const { change } = current;
    const isSubject = folder === current.folder && name === splitPath(change.path).name;
    if (isSubject && change.kind === ChangeKind.created) {
      replyNothing(this.#share, question, forNobodyElse);
      return;
    }
    // The moved file itself may have been found there already: it is yet to come.
    if (folder === current.toFolder && name === splitPath(change.newPath).name) {
      const replaced = nodes.find(folder, name);
      if (replaced === undefined || replaced.key === keyOf(change.stat))
        replyNothing(this.#share, question, forNobodyElse);
      else replyNode(this.#share, question, replaced);
      return;
    }
    const node = isSubject
      ? (nodes.find(folder, name) ?? this.#target(current))
      : nodes.find(folder, name);
    if (node === undefined) replyNothing(this.#share, question, forNobodyElse);
    else replyNode(this.#share, question, node);
  }

  /** The changed file's node; one that is gone gets one for as long as it takes to say so. */
  #target({ change, folder }: Current): Node {
    const stat = copyStat(change.stat);
    if (change.kind === ChangeKind.removed) stat.writeBigUInt64LE(BigInt(++lastUnseen), Stat.birth);
    return this.#share.nodes.enter(folder, splitPath(change.path).name, stat);
  }

  #statOf(node: Node, { change, folder }: Current): Buffer {
    const subject = this.#share.nodes.find(folder, splitPath(change.path).name);
    return subject === node && change.kind !== ChangeKind.removed ? change.stat : node.stat;
  }
}

export const isFolderMode = (mode: number) => (mode & typeMask) === 0o040000;
export const isRegularMode = (mode: number) => (mode & typeMask) === 0o100000;
export const isLinkMode = (mode: number) => (mode & typeMask) === 0o120000;

export type ReplayPort = Pick<MessagePort, 'postMessage'>;
