/** Operations on names: LOOKUP and those that create, move and remove them. */
import {
  type FrameReader,
  joinPath,
  Stat,
  statBytes,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { May, mayAccess } from './access.ts';
import { FolderNames } from './folder-names.ts';
import {
  answer,
  copyStat,
  entryOutBytes,
  Linux,
  outHeaderBytes,
  putEntry,
  type Question,
  readName,
  readU64,
  type Validity,
} from './fuse-wire.ts';
import { isDirectory, type Node } from './node-table.ts';
import {
  isWatched,
  nodeOf,
  type Operation,
  once,
  pathOf,
  refused,
  type ShareContext,
  validityOf,
} from './share-context.ts';

const longestName = 255;

export const lookup: Operation = (share, question) =>
  lookUp(share, question, readName(question.body, 0).name);

function lookUp(share: ShareContext, question: Question, name: string): void {
  const place = placeOf(share, question, question.node, name);
  if (place === undefined) return;
  if (place.folder.names?.lacks(name)) {
    replyAbsent(share, question, true);
    return;
  }
  const askedAt = share.nodes.clock;
  share.link.ask(
    Wire.lookup,
    (frame) => frame.name(place.path),
    (reader) => {
      if (reader.errno === Linux.ENOENT) replyAbsent(share, question, reader.u8() !== 0);
      else if (refused(share, question, reader)) return;
      // The kernel dropped a folder meanwhile, and the host may have too: it must follow it again.
      else if (place.folder.leftAt > askedAt) lookUp(share, question, name);
      else if (share.isAwaited(question)) replyEntry(share, question, place, reader);
    },
  );
}

interface Place {
  folder: Node;
  name: string;
  /** The current path. */
  readonly path: string;
}

/** Resolves a name; fails the request when that is impossible. */
function placeOf(
  share: ShareContext,
  question: Question,
  folderId: number,
  name: string,
): Place | undefined {
  const folder = share.nodes.get(folderId);
  const folderPath = folder && share.nodes.pathOf(folder);
  const { nodes } = share;
  if (name.length > longestName) share.fail(question, Linux.ENAMETOOLONG);
  else if (folder === undefined) share.fail(question, Linux.ESTALE);
  else if (folderPath === undefined) share.fail(question, Linux.ENOENT);
  else
    return {
      folder,
      name,
      get path() {
        return joinPath(nodes.pathOf(folder) ?? folderPath, name);
      },
    };
  return undefined;
}

/** Does the same for a change of the folder's content. */
function changeablePlace(
  share: ShareContext,
  question: Question,
  folderId: number,
  name: string,
): Place | undefined {
  const place = placeOf(share, question, folderId, name);
  if (place === undefined) return undefined;
  if (mayAccess(share, question, place.folder, May.write | May.execute)) return place;
  share.fail(question, Linux.EACCES);
  return undefined;
}

/**
 * Replies that the name is absent. The kernel caches that too: module resolution of programs asks for many absent
 * names.
 */
function replyAbsent(share: ShareContext, question: Question, isKnownToStay: boolean): void {
  replyNothing(share, question, validityOf(share, isKnownToStay));
}

export function replyNothing(share: ShareContext, question: Question, validity: Validity): void {
  const bytes = answer(question.unique, 0, entryOutBytes);
  putEntry(bytes, outHeaderBytes, 0, validity);
  share.reply(question, bytes);
}

function replyEntry(
  share: ShareContext,
  question: Question,
  place: Place,
  reader: FrameReader,
): Node {
  const node = share.nodes.enter(place.folder, place.name, copyStat(reader.raw(statBytes)));
  node.isFollowed = true;
  replyNode(share, question, node);
  return node;
}

function replyMade(
  share: ShareContext,
  question: Question,
  place: Place,
  reader: FrameReader,
): Node | undefined {
  if (share.isAwaited(question)) return replyEntry(share, question, place, reader);
  share.madeUnheard(place.path, copyStat(reader.raw(statBytes)));
}

export function replyNode(
  share: ShareContext,
  question: Question,
  node: Node,
  areAttributesSure = true,
): void {
  const bytes = answer(question.unique, 0, entryOutBytes);
  putNode(share, question, node, bytes, outHeaderBytes, areAttributesSure);
  share.reply(question, bytes);
}

/** Gives the kernel a node, for which it counts one more lookup. */
export function putNode(
  share: ShareContext,
  question: Pick<Question, 'uid' | 'gid'>,
  node: Node,
  target: Buffer,
  at: number,
  areAttributesSure = true,
): void {
  share.nodes.give(node);
  const validity = validityOf(share, isWatched(node.stat), node);
  if (!areAttributesSure) validity.attributeSeconds = 0;
  // A lookup must reach the agent before inotify watches a folder, so that the host follows it first.
  if (isDirectory(node.stat) && !node.isFollowed) validity.entrySeconds = 0;
  putEntry(target, at, node.id, validity, share.owners.shown(node, question));
}

export const mkdir: Operation = (share, question) => {
  const mode = question.body.readUInt32LE(0);
  const place = changeablePlace(share, question, question.node, readName(question.body, 8).name);
  if (place === undefined) return;
  share.link.ask(
    Wire.mkdir,
    (frame) => frame.name(place.path).u32(mode & 0o7777),
    (reader) => {
      if (refused(share, question, reader)) return;
      const node = replyMade(share, question, place, reader);
      // The host follows the folder and found it empty.
      if (node !== undefined && reader.u8() !== 0) node.names = new FolderNames();
    },
    once(question),
  );
};

const typeMask = 0o170000;
const typeRegular = 0o100000;
const typeFifo = 0o010000;
const typeSocket = 0o140000;

/** A FIFO or socket is an empty file on the host, and its type is stored with its owner. */
export const mknod: Operation = (share, question) => {
  const mode = question.body.readUInt32LE(0);
  const type = mode & typeMask || typeRegular;
  if (![typeRegular, typeFifo, typeSocket].includes(type)) return share.fail(question, Linux.EPERM);
  const place = changeablePlace(share, question, question.node, readName(question.body, 16).name);
  if (place === undefined) return;
  const O_CREAT_EXCL = 0o300;
  share.link.ask(
    Wire.create,
    (frame) =>
      frame
        .name(place.path)
        .u32(O_CREAT_EXCL)
        .u32(mode & 0o7777)
        .u64(0),
    (reader) => {
      if (refused(share, question, reader)) return;
      if (type !== typeRegular) share.owners.keep(reader.again().raw(statBytes), { type });
      replyMade(share, question, place, reader);
    },
    once(question),
  );
};

export const symlink: Operation = (share, question) => {
  const { name, next } = readName(question.body, 0);
  const target = readName(question.body, next).name;
  const place = changeablePlace(share, question, question.node, name);
  if (place === undefined) return;
  share.link.ask(
    Wire.symlink,
    (frame) => frame.name(place.path).name(target),
    (reader) => refused(share, question, reader) || replyMade(share, question, place, reader),
    once(question),
  );
};

export const readlink: Operation = (share, question) => {
  const node = nodeOf(share, question);
  const path = node && pathOf(share, question, node);
  if (path === undefined) return;
  share.link.ask(
    Wire.readlink,
    (frame) => frame.name(share.nodes.pathOf(node!) ?? path),
    (reader) => {
      if (refused(share, question, reader)) return;
      const target = reader.bytes();
      const bytes = answer(question.unique, 0, target.length);
      target.copy(bytes, outHeaderBytes);
      share.reply(question, bytes);
    },
  );
};

export const link: Operation = (share, question) => {
  const node = share.nodes.get(readU64(question.body, 0));
  if (node === undefined) return share.fail(question, Linux.ESTALE);
  const from = pathOf(share, question, node);
  if (from === undefined) return;
  const place = changeablePlace(share, question, question.node, readName(question.body, 8).name);
  if (place === undefined) return;
  share.nodes.touch(node);
  share.link.ask(
    Wire.link,
    (frame) => frame.name(share.nodes.pathOf(node) ?? from).name(place.path),
    (reader) => refused(share, question, reader) || replyMade(share, question, place, reader),
    once(question),
  );
};

export const unlink = removal(Wire.unlink);
export const rmdir = removal(Wire.rmdir);

function removal(operation: number): Operation {
  return (share, question) => {
    const { name } = readName(question.body, 0);
    const place = changeablePlace(share, question, question.node, name);
    if (place === undefined) return;
    if (!mayRemove(share, question, place.folder, name)) return share.fail(question, Linux.EPERM);
    openBeforeLoss(share, place.folder, name);
    share.link.ask(
      operation,
      (frame) => frame.name(place.path),
      (reader) => {
        if (refused(share, question, reader)) return;
        const node = share.nodes.find(place.folder, name);
        // The file may have other names, and its link count has changed.
        if (node !== undefined) share.nodes.touch(node);
        forgetName(share, place.folder, name);
        share.fail(question, 0);
      },
      once(question),
    );
  };
}

function openBeforeLoss(share: ShareContext, folder: Node, name: string): void {
  const node = share.nodes.find(folder, name);
  if (node !== undefined) share.openNow(node);
}

/** Removes a name that the host no longer has. */
export function forgetName(share: ShareContext, folder: Node, name: string): void {
  const node = share.nodes.find(folder, name);
  if (node === undefined) return;
  if (node.links.length === 1 && node.stat.readUInt32LE(Stat.links) <= 1) share.owners.forget(node);
  share.nodes.remove(folder, name);
}

/** Applies the sticky bit (inode(7)): only the owner of the file or of the folder may remove names. */
function mayRemove(share: ShareContext, asker: Question, folder: Node, name: string): boolean {
  const shown = share.owners.shown(folder, asker);
  if (asker.uid === 0 || (shown.mode & 0o1000) === 0 || shown.uid === asker.uid) return true;
  const node = share.nodes.find(folder, name);
  return node === undefined || share.owners.shown(node, asker).uid === asker.uid;
}

export const rename: Operation = (share, question) => move(share, question, 0, 8);
export const rename2: Operation = (share, question) =>
  move(share, question, question.body.readUInt32LE(8), 16);

export const RenameFlag = { noReplace: 1, exchange: 2 } as const;

function move(share: ShareContext, question: Question, flags: number, namesAt: number): void {
  const { name, next } = readName(question.body, namesAt);
  const newName = readName(question.body, next).name;
  const newFolder = readU64(question.body, 0);
  // RENAME_WHITEOUT belongs to overlayfs, and needs devices.
  if (![0, RenameFlag.noReplace, RenameFlag.exchange].includes(flags)) {
    share.fail(question, Linux.EINVAL);
    return;
  }
  const from = changeablePlace(share, question, question.node, name);
  const to = from && changeablePlace(share, question, newFolder, newName);
  if (from === undefined || to === undefined) return;
  if (
    !mayRemove(share, question, from.folder, name) ||
    !mayRemove(share, question, to.folder, newName)
  ) {
    share.fail(question, Linux.EPERM);
    return;
  }
  openBeforeLoss(share, to.folder, newName);
  share.link.ask(
    Wire.rename,
    (frame) => frame.name(from.path).name(to.path).u32(flags),
    (reader) => {
      if (refused(share, question, reader)) return;
      if (flags === RenameFlag.exchange) {
        for (const { folder, name: old } of [from, to]) {
          const node = share.nodes.find(folder, old);
          if (node !== undefined) share.nodes.touch(node);
        }
        share.nodes.exchange(from.folder, name, to.folder, newName);
      } else {
        const [moved, replaced] = [
          share.nodes.find(from.folder, name),
          share.nodes.find(to.folder, newName),
        ];
        // Its change time is new.
        if (moved !== undefined) share.nodes.touch(moved);
        if (replaced !== undefined) share.nodes.touch(replaced);
        // rename(2) leaves two names of one file unchanged.
        if (moved === undefined || moved !== replaced) {
          forgetName(share, to.folder, newName);
          share.nodes.move(from.folder, name, to.folder, newName);
        }
      }
      share.fail(question, 0);
    },
    once(question),
  );
}
