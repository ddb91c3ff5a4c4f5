/**
 * Serves one shared folder to one machine, over one connection after the other. Open files and the
 * results of requests outlive a connection, and a machine that reconnects repeats unanswered requests.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, lstatSync } from 'node:fs';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import {
  ChangeKind,
  changingOperations,
  FrameReader,
  FrameSplitter,
  FrameWriter,
  type ShareHello,
  type ShareWelcome,
  shareVersion,
  splitPath,
  ShareOperation as Wire,
} from '../../../../agent/contract/share-wire.ts';
import { ChangeNotifications } from './change-notifications.ts';
import { LinuxError, linuxErrnoOf } from './errno.ts';
import { hostOperations } from './folder-operations.ts';
import { type Change, FolderWatch } from './folder-watch.ts';
import type { FolderState } from './host-operation.ts';
import { type Missed, ReplyCache } from './reply-cache.ts';
import { Sender } from './sender.ts';
import { openSharedFolder } from './shared-folder.ts';
import { statRecord } from './stat-record.ts';

export interface FolderServerOptions {
  /** The folder's name in the protocol. */
  name: string;
  path: string;
  mountPath: string;
  readOnly?: boolean;
  wholeTree?: boolean;
  /** How many changes are kept while they cannot be sent. */
  mostPending?: number;
}

export interface FolderServer {
  /**
   * Serves until the connection ends. Rejects with the machine's message when it refuses the folder.
   * `onMounted` is called once the machine has mounted it.
   */
  serve(channel: Duplex, onMounted?: () => void): Promise<void>;
  /** While true the machine is paused, and changes are kept instead of sent. */
  hold(isHeld: boolean): void;
  close(): void;
}

export function createFolderServer(options: FolderServerOptions): FolderServer {
  const folder = openSharedFolder(options.path);
  const instance = randomUUID();
  const handles: FolderState['handles'] = new Map();
  const replies = new ReplyCache();
  const news = new ChangeNotifications({ device: folder.device, mostPending: options.mostPending });
  let sender: Sender | undefined;
  let mount: string | undefined;
  const tell = (changes: readonly Change[]) => news.tell(changes);
  const watch = new FolderWatch({ folder, tell, wholeTree: options.wholeTree });
  const state: FolderState = { folder, isReadOnly: options.readOnly === true, handles, watch };

  function forgetMachine(): void {
    for (const { fd } of handles.values()) closeSync(fd);
    handles.clear();
    replies.clear();
    news.forget();
  }

  /** A new agent takes over the same mount. Only the FUSE requests of the kernel keep their numbers. */
  function retain(request: FrameReader): void {
    replies.forgetAgent();
    const open = new Set(replies.opened());
    while (request.left > 0) open.add(request.u64());
    for (const number of [...handles.keys()]) if (!open.has(number)) release(number);
  }

  function release(number: number): void {
    const handle = handles.get(number);
    if (!handles.delete(number) || handle === undefined) return;
    closeSync(handle.fd);
  }

  /** A request that the machine abandoned may have been done, so its effect is sent as a change. */
  function settle(request: FrameReader): void {
    const { handles: opened, missed } = replies.dropAbandoned();
    // The reply may have arrived although its acknowledgement was lost.
    const open = new Set<number>();
    while (request.left > 0) open.add(request.u64());
    for (const number of opened) if (!open.has(number)) release(number);
    news.tellMissed(missed.flatMap((change) => changeOf(folder, change)));
  }

  /** Sends a reply after all changes that happened before it. */
  function answer(to: Sender, reply: Buffer): void {
    news.flush();
    to.send(reply);
  }

  /** Messages that have no reply. */
  const orders = new Map<number, (request: FrameReader) => void>([
    [Wire.have, (request) => replies.forget(idsOf(request))],
    [Wire.retain, retain],
    [Wire.settled, settle],
  ]);

  function onFrame(frame: Buffer, to: Sender): void {
    const request = new FrameReader(frame);
    const { id, operation } = request;
    if (operation === Wire.hello) {
      const { mount: its, heard } = JSON.parse(request.bytes().toString()) as ShareWelcome;
      if (mount !== undefined && mount !== its) forgetMachine();
      mount = its;
      replies.beginAnew();
      news.resume(to, heard);
      return;
    }
    const order = orders.get(operation);
    const done = replies.replyTo(id);
    if (order !== undefined) order(request);
    else if (done !== undefined) answer(to, done);
    if (order !== undefined || done !== undefined) return;
    const finish = (reply: Buffer) => {
      if (id === 0) return;
      if (changingOperations.has(operation)) replies.remember(request, reply);
      // The connection may have been replaced by now, and the machine has repeated the request there.
      if (sender === to && operation === Wire.release) to.sendLater(reply);
      else if (sender === to) answer(to, reply);
    };
    perform(state, request, finish);
  }

  return {
    async serve(channel, onMounted) {
      const own = new Sender(channel);
      const splitter = new FrameSplitter();
      channel.write(greeting(options, instance, folder));
      const ended = new Promise<void>((resolve, reject) => {
        channel.on('data', (chunk: Buffer) => {
          try {
            splitter.push(chunk, (frame) => {
              const reader = new FrameReader(frame);
              if (reader.operation === Wire.hello && reader.errno !== 0)
                return reject(new Error(reader.bytes().toString()));
              if (sender !== own) {
                sender = own;
                onMounted?.();
              }
              onFrame(frame, own);
            });
          } catch (error) {
            // Data that is no frame does not come from our agent.
            channel.destroy(error as Error);
          }
        });
        channel.once('error', () => resolve());
        channel.once('close', () => resolve());
        channel.once('end', () => resolve());
      });
      try {
        await ended;
      } finally {
        if (sender === own) sender = undefined;
        news.leave(own);
        channel.destroy();
      }
    },
    hold: (isHeld) => news.hold(isHeld),
    close() {
      watch.close();
      forgetMachine();
    },
  };
}

function perform(state: FolderState, request: FrameReader, finish: (reply: Buffer) => void): void {
  const { id, operation } = request;
  const refuse = (error: unknown) => {
    const errno = linuxErrnoOf(error);
    const refusal = () => {
      const reply = new FrameWriter(id, operation, errno);
      if (operation === Wire.lookup) reply.u8(mayBeKept(state, request) ? 1 : 0);
      finish(reply.finish());
    };
    const path = errno === ENOENT ? pathOf(request.again()) : undefined;
    if (path === undefined || !state.watch.isAstray(path)) refusal();
    else afterMoveEvent(state, path, refusal);
  };
  const perform = hostOperations.get(operation);
  try {
    if (perform === undefined) throw new LinuxError('ENOSYS');
    if (state.isReadOnly && changingOperations.has(operation) && !isReading(operation))
      throw new LinuxError('EROFS');
    const reply = new FrameWriter(id, operation);
    const when = perform(state, request, reply, (error, fill) => {
      if (error !== null) return refuse(error);
      const late = new FrameWriter(id, operation, 0, 64 * 1024);
      fill?.(late);
      finish(late.finish());
    });
    if (when === 'now') finish(reply.finish());
  } catch (error) {
    refuse(error);
  }
}

const { ENOENT } = constants.errno;

/** How often, and at what interval, the event of a folder's move is waited for. */
const [mostAttempts, retryMs] = [200, 2];

/** Calls `then` once the event of a directory's move has arrived, so that the machine gets that change first. */
function afterMoveEvent(
  { watch }: Pick<FolderState, 'watch'>,
  path: string,
  then: () => void,
  attempts = 0,
): void {
  if (attempts === mostAttempts || !watch.isAstray(path)) then();
  else setTimeout(() => afterMoveEvent({ watch }, path, then, attempts + 1), retryMs);
}

/** The first path in the request. */
function pathOf(request: FrameReader): string | undefined {
  const { operation } = request;
  if (byHandle.has(operation)) return undefined;
  if (operation === Wire.getattr || operation === Wire.setattr) request.u64();
  return request.name();
}

const byHandle: ReadonlySet<number> = new Set([
  Wire.read,
  Wire.write,
  Wire.release,
  Wire.fsync,
  Wire.statfs,
]);

const isReading = (operation: number) => operation === Wire.open || operation === Wire.release;

/** A negative lookup, which the machine may cache while the directory is watched. */
function mayBeKept(state: FolderState, request: FrameReader): boolean {
  return state.watch.isFollowed(splitPath(request.again().name()).folder);
}

function greeting(
  { name, mountPath, readOnly = false }: FolderServerOptions,
  instance: string,
  folder: FolderState['folder'],
): Buffer {
  const hello: ShareHello = { version: shareVersion, share: name, mountPath, readOnly, instance };
  const stats = lstatSync(folder.root, { bigint: true });
  return new FrameWriter(0, Wire.hello)
    .bytes(Buffer.from(JSON.stringify(hello)))
    .bytes(statRecord(stats, folder.device, false))
    .finish();
}

function* idsOf(request: FrameReader): Generator<number> {
  while (request.left > 0) yield request.u32();
}

/** The change with the file's current attributes. A file that has vanished by now is left out. */
function changeOf(folder: FolderState['folder'], { kind, path, newPath }: Missed): Change[] {
  if (kind === 'removed') return [{ kind: ChangeKind.removed, path, stats: undefined }];
  try {
    const stats = lstatSync(folder.locate(newPath ?? path), { bigint: true });
    return [{ kind: ChangeKind[kind], path, newPath, stats }];
  } catch {
    return [];
  }
}
