/** Operations GETATTR, SETATTR, ACCESS and STATFS. */
import { readFileSync } from 'node:fs';
import {
  type FrameWriter,
  SetAttribute,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { parseStatus } from '../kernel/process-status.ts';
import { May, mayAccess } from './access.ts';
import {
  answer,
  copyStat,
  Linux,
  outHeaderBytes,
  putAttributes,
  type Question,
  readU64,
  writeU64,
} from './fuse-wire.ts';
import { isDirectory, type Node } from './node-table.ts';
import {
  isWatched,
  nodeOf,
  type Operation,
  once,
  refused,
  type ShareContext,
  validityOf,
} from './share-context.ts';

/** Bits FATTR_* of struct fuse_setattr_in. */
const Fattr = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  accessed: 1 << 4,
  modified: 1 << 5,
  handle: 1 << 6,
  accessedNow: 1 << 7,
  modifiedNow: 1 << 8,
} as const;

export const getattr: Operation = (share, question) => {
  const node = nodeOf(share, question);
  if (node === undefined) return;
  // The reply to the last write contains the attributes after it.
  share.whenWritten(node, () => {
    if (isSure(node)) replyAttributes(share, question, node, node.stat);
    else askAttributes(share, question, node);
  });
};

/** Whether the known attributes are as valid as the kernel's cache: the host notifies of changes. */
const isSure = (node: Node) =>
  node.statAt >= node.changedAt &&
  node.attributesLostAt === 0 &&
  isWatched(node.stat) &&
  // Attributes of a folder change with its content.
  !isDirectory(node.stat);

function askAttributes(share: ShareContext, question: Question, node: Node): void {
  const target = targetOf(share, node);
  if (target === undefined) {
    share.fail(question, Linux.ESTALE);
    return;
  }
  const askedAt = share.nodes.clock;
  share.link.ask(
    Wire.getattr,
    (frame) => putTarget(share, frame, node, target),
    (reader) => {
      if (refused(share, question, reader)) return;
      const stat = copyStat(reader.raw(statBytes));
      share.nodes.learn(node, stat, askedAt);
      replyAttributes(share, question, node, stat);
    },
  );
}

interface Target {
  handle: number;
  path: string;
}

/** Writes the target with its current name. */
function putTarget(
  { nodes }: ShareContext,
  frame: FrameWriter,
  node: Node,
  { handle, path }: Target,
): FrameWriter {
  return frame.u64(handle).name(path === '' ? path : (nodes.pathOf(node) ?? path));
}

/** A file without a name is reached by a handle. */
function targetOf(share: ShareContext, node: Node): Target | undefined {
  const path = share.nodes.pathOf(node);
  if (path !== undefined) return { handle: 0, path };
  const [handle] = node.handles;
  return handle === undefined ? undefined : { handle, path: '' };
}

export function replyAttributes(
  share: ShareContext,
  question: Question,
  node: Node,
  stat: Buffer,
  areSure = true,
): void {
  node.stat = copyStat(stat);
  const bytes = answer(question.unique, 0, 104);
  const { attributeSeconds } = validityOf(share, isWatched(node.stat), node);
  writeU64(bytes, outHeaderBytes, areSure ? attributeSeconds : 0);
  putAttributes(bytes, outHeaderBytes + 16, share.owners.shown(node, question));
  share.reply(question, bytes);
}

export const setattr: Operation = (share, question) => {
  const node = nodeOf(share, question);
  if (node === undefined) return;
  const { body } = question;
  const valid = body.readUInt32LE(0);
  const mode = body.readUInt32LE(68);
  const refusal = refusalOf(share, question, node, valid, body.readUInt32LE(76));
  if (refusal !== undefined) return share.fail(question, refusal);
  const target = targetOf(share, node);
  if (target === undefined) return share.fail(question, Linux.ESTALE);
  const handle = (valid & Fattr.handle) !== 0 ? readU64(body, 8) : target.handle;
  const size = readU64(body, 16);
  const accessed = timeOf(body, 32, 56, (valid & Fattr.accessedNow) !== 0);
  const modified = timeOf(body, 40, 60, (valid & Fattr.modifiedNow) !== 0);
  let mask = 0;
  if ((valid & Fattr.mode) !== 0) mask |= SetAttribute.mode;
  if ((valid & Fattr.size) !== 0) mask |= SetAttribute.size;
  if ((valid & Fattr.accessed) !== 0) mask |= SetAttribute.accessed;
  if ((valid & Fattr.modified) !== 0) mask |= SetAttribute.modified;
  const owner = newOwner(body, valid);
  share.nodes.touch(node);
  const askedAt = share.nodes.clock;
  const asker = { ...question };
  share.link.ask(
    Wire.setattr,
    (frame) =>
      putTarget(share, frame, node, { ...target, handle })
        .u32(mask)
        .u32(mode & 0o7777)
        .u64(size)
        .f64(accessed)
        .f64(modified),
    (reader) => {
      if (refused(share, asker, reader)) return;
      const stat = copyStat(reader.raw(statBytes));
      share.nodes.learn(node, stat, askedAt);
      if (owner !== undefined && !isNoChange(share, node, asker, owner))
        share.owners.keep(stat, owner);
      replyAttributes(share, asker, node, stat);
    },
    once(question),
  );
};

function newOwner(body: Buffer, valid: number): { uid?: number; gid?: number } | undefined {
  if ((valid & (Fattr.uid | Fattr.gid)) === 0) return undefined;
  return {
    ...((valid & Fattr.uid) !== 0 && { uid: body.readUInt32LE(76) }),
    ...((valid & Fattr.gid) !== 0 && { gid: body.readUInt32LE(80) }),
  };
}

/** Whether a chown gives a file to the user who sees it as their own already, which need not be stored. */
function isNoChange(
  share: ShareContext,
  node: Node,
  asker: Question,
  { uid, gid }: { uid?: number; gid?: number },
): boolean {
  return (
    !share.owners.isKept(node) &&
    (uid === undefined || uid === asker.uid) &&
    (gid === undefined || gid === asker.gid)
  );
}

/** Checks the rights of chown(2), chmod(2), utimensat(2) and truncate(2): the owner's or root's. */
function refusalOf(
  share: ShareContext,
  asker: Question,
  node: Node,
  valid: number,
  newUid: number,
): number | undefined {
  if (asker.uid === 0) return undefined;
  const shown = share.owners.shown(node, asker);
  const isOwner = shown.uid === asker.uid;
  if ((valid & Fattr.uid) !== 0 && newUid !== shown.uid && !mayChown(asker.pid)) return Linux.EPERM;
  if ((valid & Fattr.gid) !== 0 && !isOwner && !mayChown(asker.pid)) return Linux.EPERM;
  if ((valid & Fattr.mode) !== 0 && !isOwner) return Linux.EPERM;
  const times = Fattr.accessed | Fattr.modified;
  const setsNow = (valid & (Fattr.accessedNow | Fattr.modifiedNow)) !== 0;
  if ((valid & times) !== 0 && (valid & Fattr.size) === 0 && !isOwner)
    if (!setsNow) return Linux.EPERM;
    else if (!mayAccess(share, asker, node, May.write)) return Linux.EACCES;
  // ftruncate(2) needs only the right of the open file.
  if ((valid & Fattr.size) !== 0 && (valid & Fattr.handle) === 0)
    if (!mayAccess(share, asker, node, May.write)) return Linux.EACCES;
  return undefined;
}

const capChown = 1n;

/** Whether the process has CAP_CHOWN in its user namespace, as root of a container with a user namespace has. */
function mayChown(pid: number): boolean {
  try {
    const { capabilities } = parseStatus(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return (capabilities.effective & capChown) !== 0n;
  } catch {
    // The process has ended, so nobody waits for the reply.
    return false;
  }
}

/** Time in seconds; NaN means the host's current time. */
function timeOf(body: Buffer, secondsAt: number, nanosAt: number, isNow: boolean): number {
  if (isNow) return Number.NaN;
  return Number(body.readBigInt64LE(secondsAt)) + body.readUInt32LE(nanosAt) / 1e9;
}

export const access: Operation = (share, question) => {
  const node = nodeOf(share, question);
  if (node === undefined) return;
  const allowed = mayAccess(share, question, node, question.body.readUInt32LE(0) & 7);
  share.fail(question, allowed ? 0 : Linux.EACCES);
};

export const statfs: Operation = (share, question) => {
  share.link.ask(
    Wire.statfs,
    () => {},
    (reader) => {
      if (refused(share, question, reader)) return;
      const bytes = answer(question.unique, 0, 80);
      for (let index = 0; index < 5; index++)
        writeU64(bytes, outHeaderBytes + index * 8, reader.u64());
      const blockBytes = reader.u32();
      bytes.writeUInt32LE(blockBytes, outHeaderBytes + 40);
      bytes.writeUInt32LE(255, outHeaderBytes + 44);
      bytes.writeUInt32LE(blockBytes, outHeaderBytes + 48);
      share.reply(question, bytes);
    },
  );
};
