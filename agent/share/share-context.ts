/** What the operations of one mounted folder work with. */
import { type FrameReader, Stat, watchedFlag } from '../contract/share-wire.ts';
import { againBit, Linux, type Question, type Validity } from './fuse-wire.ts';
import type { HostLink } from './host-link.ts';
import type { Node, NodeTable } from './node-table.ts';
import type { Owners } from './owners.ts';

export interface ShareContext {
  readonly nodes: NodeTable;
  readonly owners: Owners;
  readonly link: Pick<HostLink, 'ask' | 'tell'>;
  /** Replies to a pending request; later replies to it are dropped. */
  reply(question: Pick<Question, 'unique'>, bytes: Buffer): void;
  fail(question: Pick<Question, 'unique'>, errno: number): void;
  /** Opens files of a node on the host that are open only here, before its name is removed. */
  openNow(node: Node): void;
  /** Runs `then` when the host has confirmed the writes to a file. */
  whenWritten(node: Node, then: () => void): void;
  /** Runs `then` when the kernel has requested attributes that it may have missed. */
  whenTold(node: Node, then: () => void): void;
  /** Whether the request is still pending. */
  isAwaited(question: Pick<Question, 'unique'>): boolean;
  /** Reports a file that was created for a given-up request, which the kernel believes to have failed. */
  madeUnheard(path: string, stat: Buffer): void;
  /** True when several users look: each sees files as their own, which the kernel cannot cache. */
  readonly hasSeveralUsers: boolean;
}

/** Makes the host execute a request only once, by the kernel's own number, which is even. */
export const once = ({ unique }: Pick<Question, 'unique'>) => ({
  id: Number(BigInt.asUintN(32, unique)),
});

/** Handle for a request: the same after a repetition, and never another's. */
export const handleFor = ({ unique }: Pick<Question, 'unique'>) => Number(unique & ~againBit);

export type Operation = (share: ShareContext, question: Question) => void;

/** Node of a request; fails the request when it is unknown. */
export function nodeOf(share: ShareContext, question: Question): Node | undefined {
  const node = share.nodes.get(question.node);
  if (node === undefined) share.fail(question, Linux.ESTALE);
  return node;
}

/** Path of a node; a file without a name can be reached only by its open handles. */
export function pathOf(share: ShareContext, question: Question, node: Node): string | undefined {
  const path = share.nodes.pathOf(node);
  if (path === undefined) share.fail(question, Linux.ENOENT);
  return path;
}

/** Forwards the host's error. */
export function refused(share: ShareContext, question: Question, reader: FrameReader): boolean {
  if (reader.errno === 0) return false;
  share.fail(question, reader.errno);
  return true;
}

/** Validity of followed files: the host notifies of each change. */
const watchedSeconds = 86_400;
/** Validity of other files: a compromise between few requests and fresh content. */
const unwatchedSeconds = 1;

export function validityOf(share: ShareContext, isWatched: boolean, node?: Node): Validity {
  const seconds = isWatched ? watchedSeconds : unwatchedSeconds;
  const isOwnToEach = share.hasSeveralUsers && node !== undefined && !share.owners.isKept(node);
  return { entrySeconds: seconds, attributeSeconds: isOwnToEach ? 0 : seconds };
}

export const isWatched = (stat: Buffer) => (stat.readUInt32LE(Stat.flags) & watchedFlag) !== 0;
