/** Answers requests that the replay thread causes: the kernel gets what the host has already. */
import { ChangeKind, Stat } from '../contract/share-wire.ts';
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
import { putNode, replyNode, replyNothing } from './names.ts';
import type { Node } from './node-table.ts';
import { type Change, childOnWay, type Place } from './replay-change.ts';
import type { ShareContext } from './share-context.ts';

const keepCacheFlag = 2;
/** Attributes are never cacheable here: the host goes on changing them, and the next reader must see the current ones. */
/** A name that is about to be created exists on the host: it is not cached, so that other lookups wait for the replay. */
const forNobodyElse = { entrySeconds: 0, attributeSeconds: 0 };

/** Inode numbers that no file of the host has, for files that vanished before they were seen. */
let lastUnseen = 0;

/** Whether the kernel still knows the node. */
export const isHeld = ({ nodes }: ShareContext, node: Node) => nodes.get(node.id) === node;

/** Answers a request of the replay thread. Returns false when the host must answer it. */
export function answerReplay(
  share: ShareContext,
  question: Question,
  current: Change,
  settle: () => void,
): boolean {
  switch (question.opcode) {
    case Opcode.lookup:
      lookup(share, question, current);
      return true;
    case Opcode.create: {
      const node = targetOf(share, current);
      const bytes = answer(question.unique, 0, entryOutBytes + 16);
      putNode(share, question, node, bytes, outHeaderBytes, false);
      bytes.writeUInt32LE(keepCacheFlag, outHeaderBytes + entryOutBytes + 8);
      share.reply(question, bytes);
      return true;
    }
    case Opcode.mkdir:
    case Opcode.mknod:
    case Opcode.symlink:
      replyNode(share, question, targetOf(share, current), false);
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
      else replyAttributes(share, question, node, node.stat, false);
      return true;
    }
    case Opcode.unlink:
    case Opcode.rmdir:
    case Opcode.rename:
    case Opcode.rename2:
      settle();
      share.fail(question, 0);
      return true;
    case Opcode.flush:
    case Opcode.access:
      share.fail(question, 0);
      return true;
    default:
      return false;
  }
}

/** The kernel still has the names from before the change. */
function lookup(share: ShareContext, question: Question, change: Change): void {
  const { nodes } = share;
  const { name } = readName(question.body, 0);
  const folder = nodes.get(question.node);
  if (folder === undefined) {
    share.fail(question, Linux.ESTALE);
    return;
  }
  const found = nodeBefore(share, folder, name, change);
  if (found === undefined) replyNothing(share, question, forNobodyElse);
  else replyNode(share, question, found, false);
}

function nodeBefore(
  share: ShareContext,
  folder: Node,
  name: string,
  change: Change,
): Node | undefined {
  const { nodes } = share;
  const { kind, at, to, replaced } = change;
  const is = (place: Place | undefined) => folder === place?.folder && name === place.name;
  if (is(at)) return kind === ChangeKind.created ? undefined : targetOf(share, change);
  if (is(to)) return replaced !== undefined && isHeld(share, replaced) ? replaced : undefined;
  for (const place of [at, to]) {
    const below = place && childOnWay(place, folder, name);
    if (below !== undefined) return below;
  }
  return nodes.find(folder, name);
}

/** Node of the changed file; a file that is gone gets a temporary one. */
function targetOf(share: ShareContext, change: Change): Node {
  const { nodes } = share;
  const { kind, at, now } = change;
  const isGone = kind === ChangeKind.removed;
  // The node keeps its identity under any name.
  const known = isGone ? (change.node ?? nodes.find(at.folder, at.name)) : nodes.known(change.stat);
  const stat = copyStat(change.stat);
  if (isGone) stat.writeBigUInt64LE(BigInt(++lastUnseen), Stat.birth);
  if (change.node === undefined) change.isEntered = true;
  change.node =
    known !== undefined && isHeld(share, known) ? known : nodes.enter(now.folder, now.name, stat);
  return change.node;
}
