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
  /** Answers what is still waited for; whatever else comes for it later is dropped. */
  reply(question: Pick<Question, 'unique'>, bytes: Buffer): void;
  fail(question: Pick<Question, 'unique'>, errno: number): void;
  /** Opens on the host what of a node is open here only, before its name goes. */
  openNow(node: Node): void;
  /** Once the host has confirmed what was written to a file. */
  whenWritten(node: Node, then: () => void): void;
  /** Once the kernel has asked anew for attributes that it may have missed. */
  whenTold(node: Node, then: () => void): void;
  /** False for what was given up. */
  isAwaited(question: Pick<Question, 'unique'>): boolean;
  /** Something was made for a question that was given up meanwhile: the kernel takes it for not made. */
  madeUnheard(path: string, stat: Buffer): void;
  /** Files are then shown to each as their own, which the kernel cannot keep. */
  readonly hasSeveralUsers: boolean;
}

/** What the host does once for a question, whoever asks it: the number is the kernel's own, and even. */
export const once = ({ unique }: Pick<Question, 'unique'>) => ({
  id: Number(BigInt.asUintN(32, unique)),
});

/** What a question opens: the same for whoever is asked it again, and never another's. */
export const handleFor = ({ unique }: Pick<Question, 'unique'>) => Number(unique & ~againBit);

export type Operation = (share: ShareContext, question: Question) => void;

/** The node of a question; without one the question has failed. */
export function nodeOf(share: ShareContext, question: Question): Node | undefined {
  const node = share.nodes.get(question.node);
  if (node === undefined) share.fail(question, Linux.ESTALE);
  return node;
}

/** A node's path; a file without a name can only be reached by those who have it open. */
export function pathOf(share: ShareContext, question: Question, node: Node): string | undefined {
  const path = share.nodes.pathOf(node);
  if (path === undefined) share.fail(question, Linux.ENOENT);
  return path;
}

/** Passes the host's refusal on. */
export function refused(share: ShareContext, question: Question, reader: FrameReader): boolean {
  if (reader.errno === 0) return false;
  share.fail(question, reader.errno);
  return true;
}

/** The host tells of each change, so that what is known stays true until then. */
const watchedSeconds = 86_400;
/** Where it cannot: a compromise between asking always and seeing changes. */
const unwatchedSeconds = 1;

export function validityOf(share: ShareContext, isWatched: boolean, node?: Node): Validity {
  const seconds = isWatched ? watchedSeconds : unwatchedSeconds;
  const isOwnToEach = share.hasSeveralUsers && node !== undefined && !share.owners.isKept(node);
  return { entrySeconds: seconds, attributeSeconds: isOwnToEach ? 0 : seconds };
}

export const isWatched = (stat: Buffer) => (stat.readUInt32LE(Stat.flags) & watchedFlag) !== 0;
