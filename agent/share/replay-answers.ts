/** Questions that the replaying thread causes: the kernel is told what the host has already. */
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
/**
 * Attributes are never given as sure here: the host goes on writing while the kernel is told, and who
 * looks next is to see what there is then.
 */
/** A name that is about to be made again is there on the host: whoever else looks is to wait for it. */
const forNobodyElse = { entrySeconds: 0, attributeSeconds: 0 };

/** Numbers that no host's file has, for files that were gone before they were seen. */
let lastUnseen = 0;

/** The kernel may have let it go since. */
export const isHeld = ({ nodes }: ShareContext, node: Node) => nodes.get(node.id) === node;

/** Answers what the replaying thread caused; false for what the host has to answer after all. */
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

/** The kernel's names are those of before. */
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

/** The changed file's node; one that is gone gets one for as long as it takes to say so. */
function targetOf(share: ShareContext, change: Change): Node {
  const { nodes } = share;
  const { kind, at, now } = change;
  const isGone = kind === ChangeKind.removed;
  // Whatever it is called by now.
  const known = isGone ? (change.node ?? nodes.find(at.folder, at.name)) : nodes.known(change.stat);
  const stat = copyStat(change.stat);
  if (isGone) stat.writeBigUInt64LE(BigInt(++lastUnseen), Stat.birth);
  if (change.node === undefined) change.isEntered = true;
  change.node =
    known !== undefined && isHeld(share, known) ? known : nodes.enter(now.folder, now.name, stat);
  return change.node;
}
