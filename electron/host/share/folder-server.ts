/**
 * Serves one shared folder to one machine, over one connection after the other. What is open and what
 * was done outlives a connection: a machine that comes back asks again what it got no answer to.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, lstatSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import {
  FrameReader,
  FrameSplitter,
  FrameWriter,
  type ShareHello,
  type ShareWelcome,
  Stat,
  shareVersion,
  statBytes,
  ShareOperation as Wire,
} from '../../../agent/contract/share-wire.ts';
import { LinuxError, linuxErrnoOf } from './errno.ts';
import { changingOperations, hostOperations } from './folder-operations.ts';
import { type Change, FolderWatch } from './folder-watch.ts';
import type { FolderState } from './host-operation.ts';
import { openSharedFolder } from './shared-folder.ts';
import { statRecord } from './stat-record.ts';

export interface FolderServerOptions {
  /** Names the folder to the machine. */
  name: string;
  path: string;
  mountPath: string;
  readOnly?: boolean;
  wholeTree?: boolean;
}

export interface FolderServer {
  /**
   * Serves until the connection ends; rejects when the machine refuses the folder, with its words.
   * `onMounted`: the machine has it.
   */
  serve(channel: Duplex, onMounted?: () => void): Promise<void>;
  close(): void;
}

/** As many answers as a machine may not have got, and more than it can have asked for at once. */
const keptAnswers = 4096;
const smallBytes = 8 * 1024;

export function createFolderServer(options: FolderServerOptions): FolderServer {
  const folder = openSharedFolder(options.path);
  const instance = randomUUID();
  const handles: FolderState['handles'] = new Map();
  const answered = new Map<number, Buffer>();
  let unheard: Change[] = [];
  let sender: Sender | undefined;
  let mount: string | undefined;
  const tell = (changes: readonly Change[]) => {
    if (sender === undefined) unheard.push(...changes);
    else sender.send(changesFrame(changes, folder.device));
  };
  const watch = new FolderWatch({ folder, tell, wholeTree: options.wholeTree });
  const state: FolderState = { folder, isReadOnly: options.readOnly === true, handles, watch };

  function forgetMachine(): void {
    for (const { fd } of handles.values()) closeSync(fd);
    handles.clear();
    answered.clear();
    unheard = [];
  }

  /** Another agent goes on with the same mount; only the kernel's questions have numbers that it knows. */
  function retain(request: FrameReader): void {
    const open = new Set<number>();
    while (request.left > 0) open.add(request.u32());
    for (const [number, { fd }] of handles) {
      if (open.has(number)) continue;
      handles.delete(number);
      closeSync(fd);
    }
    for (const id of answered.keys()) if (id % 2 === 1) answered.delete(id);
  }

  function onFrame(frame: Buffer, to: Sender): void {
    const request = new FrameReader(frame);
    const { id, operation } = request;
    if (operation === Wire.hello) {
      const { mount: its } = JSON.parse(request.bytes().toString()) as ShareWelcome;
      if (mount !== undefined && mount !== its) forgetMachine();
      mount = its;
      return;
    }
    if (operation === Wire.retain) {
      retain(request);
      return;
    }
    const done = answered.get(id);
    if (id !== 0 && done !== undefined) {
      to.send(done);
      return;
    }
    const finish = (reply: Buffer) => {
      if (id === 0) return;
      if (changingOperations.has(operation)) {
        answered.set(id, reply);
        if (answered.size > keptAnswers) answered.delete(answered.keys().next().value!);
      }
      // The connection may be another by now, which has been asked the same again.
      if (sender === to) to.send(reply);
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
                own.send(changesFrame(unheard.splice(0), folder.device));
              }
              onFrame(frame, own);
            });
          } catch (error) {
            // What is no frame comes from no agent of ours.
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
        channel.destroy();
      }
    },
    close() {
      watch.close();
      forgetMachine();
    },
  };
}

function perform(state: FolderState, request: FrameReader, finish: (reply: Buffer) => void): void {
  const { id, operation } = request;
  const refuse = (error: unknown) => {
    const reply = new FrameWriter(id, operation, linuxErrnoOf(error));
    if (operation === Wire.lookup) reply.u8(mayBeKept(state, request) ? 1 : 0);
    finish(reply.finish());
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

const isReading = (operation: number) => operation === Wire.open || operation === Wire.release;

/** That there is no such name: true as long as its folder is watched. */
function mayBeKept(state: FolderState, request: FrameReader): boolean {
  const path = request.again().name();
  const slash = path.lastIndexOf('/');
  return state.watch.isFollowed(slash === -1 ? '' : path.slice(0, slash));
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

function changesFrame(changes: readonly Change[], device: bigint): Buffer {
  const frame = new FrameWriter(0, Wire.changes);
  for (const { kind, path, newPath, stats } of changes) {
    frame.u8(kind).name(path);
    if (newPath !== undefined) frame.name(newPath);
    frame.raw(stats === undefined ? unseen() : statRecord(stats, device, true));
  }
  return frame.finish();
}

/** A file that was gone before anybody looked at it. */
function unseen(): Buffer {
  const record = Buffer.alloc(statBytes);
  record.writeUInt32LE(0o100000, Stat.mode);
  record.writeUInt32LE(1, Stat.links);
  return record;
}

/** Small answers go before large ones, and what was said first goes first among its like. */
class Sender {
  readonly #channel: Duplex;
  #small: Buffer[] = [];
  #large: Buffer[] = [];
  #isWaiting = false;
  #isScheduled = false;

  constructor(channel: Duplex) {
    this.#channel = channel;
    channel.on('drain', () => {
      this.#isWaiting = false;
      this.#pump();
    });
  }

  send(frame: Buffer): void {
    (frame.length <= smallBytes ? this.#small : this.#large).push(frame);
    if (this.#isScheduled || this.#isWaiting) return;
    this.#isScheduled = true;
    // What one chunk of questions is answered with goes together.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (!this.#isWaiting && this.#small.length + this.#large.length > 0) {
      const small = this.#small.splice(0);
      const next = small.length > 0 ? Buffer.concat(small) : this.#large.shift()!;
      this.#isWaiting = !this.#channel.write(next);
    }
  }
}
