/**
 * The thread that replays the host's changes through the mount (replay.ts says why). It waits for the serving thread,
 * which never waits for it.
 */
import { closeSync, constants, writeSync } from 'node:fs';
import { type MessagePort, workerData } from 'node:worker_threads';
import { ChangeKind } from '../contract/share-wire.ts';
import {
  mkdirat,
  mknodat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  Resolve,
  refreshAttributes,
  renameat,
  rmdirat,
  setModified,
  symlinkat,
  unlinkat,
  utimensat,
} from '../kernel/files.ts';
import { writeDevice } from '../kernel/fuse-device.ts';
import { hasErrno } from '../kernel/libc.ts';
import { threadId } from '../kernel/process.ts';
import { invalidateEntry, invalidateNode } from './fuse-wire.ts';
import { isFolderMode, isLinkMode, isRegularMode, type ReplayOrder } from './replay.ts';

export interface ReplayThreadSettings {
  port: MessagePort;
  /** A byte written to it wakes the serving thread. */
  wakeFd: number;
}

export interface ReplayTask {
  share: string;
  deviceFd: number;
  mountFd: number;
  order: ReplayOrder;
}

export type ReplayReport = { threadId: number } | { share: string; failure?: string };

function serve({ port, wakeFd }: ReplayThreadSettings): void {
  const report = (message: ReplayReport) => {
    port.postMessage(message);
    writeSync(wakeFd, '.');
  };
  port.on('message', ({ share, order, ...mount }: ReplayTask) => {
    try {
      carryOut(mount, order);
      report({ share });
    } catch (error) {
      // The kernel does not know the file any more, or has it already as it should be.
      if (hasErrno(error, 'ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ESTALE', 'ENOTCONN', 'EBADF'))
        report({ share });
      else report({ share, failure: String(error) });
    }
  });
  report({ threadId: threadId() });
}

type Mount = Omit<ReplayTask, 'share' | 'order'>;

const withinMount = Resolve.beneath | Resolve.noSymlinks | Resolve.noXdev;

function carryOut(mount: Mount, order: ReplayOrder): void {
  invalidate(mount, order);
  if (order.asks) inFolder(mount, order.folder, (folder) => askForAttributes(folder, order));
  if (order.kind === ChangeKind.lost || order.kind === ChangeKind.attributesLost) return;
  inFolder(mount, order.folder, (folder) => {
    if (order.kind === ChangeKind.created) create(mount, folder, order);
    else if (order.kind === ChangeKind.modified) modify(folder, order);
    else if (order.kind === ChangeKind.attributes) touch(folder, order);
    else if (order.kind === ChangeKind.removed) remove(folder, order);
    else if (order.kind === ChangeKind.renamed)
      inFolder(mount, order.toFolder, (to) => move(mount, folder, to, order));
  });
}

/** Drops old pages and attributes. This may wait for a page that is being read, so it runs only here. */
function invalidate({ deviceFd }: Mount, { kind, node, folderNode, name }: ReplayOrder): void {
  const { modified, attributes, lost, attributesLost } = ChangeKind;
  if (node !== undefined && (kind === modified || kind === lost))
    writeDevice(deviceFd, invalidateNode(node, 0n));
  if (node !== undefined && (kind === attributes || kind === attributesLost))
    writeDevice(deviceFd, invalidateNode(node, -1n));
  if (kind === lost) writeDevice(deviceFd, invalidateEntry(folderNode, name));
  // Times and size of the folder have changed too.
  if (![modified, attributes, attributesLost].some((other) => other === kind))
    writeDevice(deviceFd, invalidateNode(folderNode, -1n));
}

function create(mount: Mount, folder: number, order: ReplayOrder): void {
  try {
    make(folder, order);
  } catch (error) {
    if (!hasErrno(error, 'EEXIST')) throw error;
    // A lookup found the name between the host's change and this: it is dropped and created again.
    writeDevice(mount.deviceFd, invalidateEntry(order.folderNode, order.name));
    make(folder, order);
  }
}

function make(folder: number, { name: text, mode, size, modifiedNanos }: ReplayOrder): void {
  const name = bytesOf(text);
  if (isFolderMode(mode)) mkdirat(folder, name, mode & 0o7777);
  else if (isLinkMode(mode)) symlinkat('target', folder, name);
  else if (isRegularMode(mode)) {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
    const fd = openat2(folder, name, flags, withinMount, mode & 0o7777);
    try {
      if (size > 0) setModified(fd, modifiedNanos);
    } finally {
      closeSync(fd);
    }
  } else mknodat(folder, name, mode);
}

/** Requests attributes after the cache was dropped: a reply to an earlier request would be outdated. */
function askForAttributes(folder: number, { name }: ReplayOrder): void {
  refreshAttributes(folder, bytesOf(name));
}

/** Repeats the events of a writer: opened, modified, closed. */
function modify(folder: number, { name, modifiedNanos }: ReplayOrder): void {
  const fd = openat2(folder, bytesOf(name), constants.O_WRONLY | O_NOFOLLOW, withinMount);
  try {
    setModified(fd, modifiedNanos);
  } finally {
    closeSync(fd);
  }
}

function touch(folder: number, { name, modifiedNanos }: ReplayOrder): void {
  utimensat(folder, bytesOf(name), modifiedNanos, modifiedNanos);
}

function remove(folder: number, { name, mode }: ReplayOrder): void {
  if (isFolderMode(mode)) rmdirat(folder, bytesOf(name));
  else unlinkat(folder, bytesOf(name));
}

/** A rename to itself causes no event, so a name that was looked up early is dropped first. */
function move(mount: Mount, folder: number, toFolder: number, order: ReplayOrder): void {
  writeDevice(mount.deviceFd, invalidateEntry(order.toFolderNode, order.toName));
  renameat(folder, bytesOf(order.name), toFolder, bytesOf(order.toName));
}

function inFolder(mount: Mount, path: string, use: (fd: number) => void): void {
  if (path === '') {
    use(mount.mountFd);
    return;
  }
  const fd = openat2(mount.mountFd, bytesOf(path), O_PATH | O_DIRECTORY, withinMount);
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

/** Encodes a name as bytes with a final NUL. */
const bytesOf = (name: string) => Buffer.from(`${name}\0`, 'latin1');

serve(workerData as ReplayThreadSettings);
