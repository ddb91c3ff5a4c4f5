/**
 * One mounted folder: reads the kernel's requests and passes them to the operations. Nothing here blocks, because the
 * thread serves all folders.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { type FrameReader, ShareOperation as Wire } from '../contract/share-wire.ts';
import { readDevice, writeDevice } from '../kernel/fuse-device.ts';
import { access, getattr, setattr, statfs } from './attributes.ts';
import {
  againBit,
  answer,
  invalidateNode,
  Linux,
  Opcode,
  type Question,
  readQuestion,
  readU64,
  resendAll,
  rootNode,
} from './fuse-wire.ts';
import { HostLink } from './host-link.ts';
import { answerInit, questionBytes, resendsRequests } from './init.ts';
import type { Journal, KeptState } from './journal.ts';
import * as names from './names.ts';
import { isDirectory, type Node, NodeTable } from './node-table.ts';
import { OpenFiles } from './open-files.ts';
import { OpenFolders } from './open-folders.ts';
import type { Owners } from './owners.ts';
import { Replay, type ReplayOrder } from './replay.ts';
import type { Operation, ShareContext } from './share-context.ts';

export interface ShareParts {
  deviceFd: number;
  owners: Owners;
  rootStat: Buffer;
  journal: Journal;
  /** State of the agent that served it before. */
  kept?: KeptState;
  sendReplay(order: ReplayOrder): void;
  /** ID of the replay thread, which the kernel sends with each request. */
  replayThreadId(): number;
  /** ID of the main thread, which carries the data and would wait for itself. */
  mainThreadId: number;
  /** How long callers wait for a disconnected host before they get EIO. */
  patienceMs: number;
  mayAskAgain: boolean;
  report(error: unknown): void;
}

interface Waiting {
  since: number;
  isInterrupted: boolean;
}

/** An interrupted request without a reply is given up after this time, because its process may have been killed. */
const interruptPatienceMs = 2_000;
const { EAGAIN, ENODEV, ENOENT, EINTR } = constants.errno;
/** Requests per iteration, so that the link and other folders run in between. */
const questionsATurn = 16;
const readBuffer = Buffer.alloc(questionBytes);

export class Share implements ShareContext {
  readonly nodes: NodeTable;
  readonly owners: Owners;
  readonly link: HostLink;
  readonly files: OpenFiles;
  readonly replay: Replay;
  /** Number of notifications from this host; starts at zero with another one. */
  heard = 0;
  readonly #parts: ShareParts;
  readonly #waiting = new Map<bigint, Waiting>();
  readonly #operations: Map<number, Operation>;
  readonly #users: Set<number>;
  readonly #folders: OpenFolders;
  #resendsRequests: boolean;
  #downSince: number | undefined;
  #isReading = true;
  /** After a takeover: whether all repeated requests were read. */
  #isCaughtUp: boolean;

  constructor(parts: ShareParts) {
    const { kept, journal } = parts;
    this.#parts = parts;
    this.nodes = kept ? NodeTable.restored(kept, journal) : new NodeTable(parts.rootStat, journal);
    this.owners = parts.owners;
    this.link = new HostLink((reader) => this.#onNews(reader));
    this.files = new OpenFiles(this, journal, kept);
    this.#folders = new OpenFolders(this.nodes, journal, kept);
    this.replay = new Replay(this, parts.sendReplay);
    this.#operations = operationsOf(this.files, this.#folders);
    this.#users = kept?.users ?? new Set();
    this.#resendsRequests = kept?.resendsRequests ?? false;
    this.#isCaughtUp = kept === undefined;
    journal.begin(() => this.#recordAll());
    if (kept !== undefined) this.#takeUp(kept);
  }

  #takeUp({ unanswered, resendsRequests }: KeptState): void {
    if (resendsRequests) writeDevice(this.deviceFd, resendAll());
    for (const unique of unanswered) writeDevice(this.deviceFd, answer(unique, Linux.EIO));
    this.#downSince = performance.now();
  }

  #recordAll(): void {
    const { journal } = this.#parts;
    this.nodes.recordAll();
    this.files.recordAll();
    this.#folders.recordAll();
    for (const uid of this.#users) journal.user(uid);
    if (!this.#resendsRequests) for (const unique of this.#waiting.keys()) journal.asked(unique);
    this.recordFacts();
  }

  /** Must be called again when the replay thread changes. */
  recordFacts(): void {
    this.#parts.journal.facts({
      lastNode: this.nodes.lastId,
      replayThreadId: this.#parts.replayThreadId(),
      resendsRequests: this.#resendsRequests,
    });
  }

  get deviceFd(): number {
    return this.#parts.deviceFd;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** Stops reading, so that the next agent gets further requests. */
  stopReading(): void {
    this.#isReading = false;
  }

  endTurn(): void {
    this.#parts.journal.flush();
  }

  get hasSeveralUsers(): boolean {
    return this.#users.size > 1;
  }

  reply({ unique }: Pick<Question, 'unique'>, bytes: Buffer): void {
    if (!this.#waiting.delete(unique)) return;
    const { journal } = this.#parts;
    if (!this.#resendsRequests) journal.answered(unique);
    journal.flush();
    const written = writeDevice(this.deviceFd, bytes);
    // ENOENT means that the requester has ended, ENODEV that the mount is gone.
    if (written < 0 && ![-ENOENT, -ENODEV].includes(written))
      this.#parts.report(new Error(`the kernel took no answer: errno ${-written}`));
  }

  fail(question: Pick<Question, 'unique'>, errno: number): void {
    this.reply(question, answer(question.unique, errno));
  }

  openNow(node: Node): void {
    this.files.openNow(node);
  }

  whenWritten(node: Node, then: () => void): void {
    this.files.whenWritten(node, then);
  }

  whenTold(node: Node, then: () => void): void {
    this.replay.whenTold(node, then);
  }

  madeUnheard(path: string, stat: Buffer): void {
    this.replay.tellMade(path, stat);
  }

  isAwaited({ unique }: Pick<Question, 'unique'>): boolean {
    return this.#waiting.has(unique);
  }

  /** Reads requests. Returns false when the file system was unmounted. */
  readQuestions(): boolean {
    for (let count = 0; count < questionsATurn; count++) {
      const length = readDevice(this.deviceFd, readBuffer);
      if (length === -EAGAIN) {
        this.#catchUp();
        return true;
      }
      // ENOENT means that the request was interrupted before it was read.
      if (length === -EINTR || length === -ENOENT) continue;
      if (length < 0) return false;
      this.#handle(readQuestion(readBuffer.subarray(0, length)));
      if (length > 64 * 1024) return true;
    }
    return true;
  }

  #catchUp(): void {
    if (this.#isCaughtUp) return;
    this.#isCaughtUp = true;
    if (this.link.isUp) this.link.tellSettled(this.files.openHandles());
  }

  /** Starts the timeout of waiting callers. */
  onLinkLost(now: number): void {
    this.link.drop();
    this.#downSince = now;
    for (const [unique, { isInterrupted }] of this.#waiting)
      if (isInterrupted) this.fail({ unique }, Linux.EINTR);
  }

  onLinkBack(): void {
    this.#downSince = undefined;
    if (this.#isCaughtUp) this.link.tellSettled(this.files.openHandles());
  }

  /**
   * Invalidates all attributes: another host may have changed everything, and no old attributes may be used until the
   * replay thread has been everywhere. Dropping attributes never blocks, so this thread may do it.
   */
  distrustAttributes(): void {
    for (const { id } of this.nodes.all()) writeDevice(this.deviceFd, invalidateNode(id, -1n));
  }

  /** Invalidates everything that the kernel has cached. */
  loseAll(): void {
    this.distrustAttributes();
    this.replay.loseAll();
  }

  /** Gives up requests that have waited too long. Returns the time of the next check; `undefined` for none. */
  expire(now: number): number | undefined {
    const deadlines: number[] = [];
    if (this.#downSince !== undefined) {
      if (now >= this.#downSince + this.#parts.patienceMs) this.#giveUp();
      else deadlines.push(this.#downSince + this.#parts.patienceMs);
    }
    for (const [unique, waiting] of this.#waiting) {
      if (!waiting.isInterrupted) continue;
      if (now >= waiting.since + interruptPatienceMs) this.fail({ unique }, Linux.EINTR);
      else deadlines.push(waiting.since + interruptPatienceMs);
    }
    return deadlines.length === 0 ? undefined : Math.min(...deadlines);
  }

  close(): void {
    this.link.drop();
    this.#parts.journal.close();
    closeSync(this.deviceFd);
  }

  #giveUp(): void {
    this.link.failAll(Linux.EIO);
    for (const unique of [...this.#waiting.keys()]) this.fail({ unique }, Linux.EIO);
  }

  #handle(question: Question): void {
    const { opcode, unique, pid, uid } = question;
    if (this.#handleUnanswered(question)) return;
    this.#waiting.set(unique, { since: 0, isInterrupted: false });
    if (!this.#resendsRequests) this.#record(unique);
    // A request of an earlier agent's replay thread: the host has made that change already, and perhaps later ones.
    if ((unique & againBit) !== 0n && pid === this.#parts.kept?.replayThreadId) {
      this.fail(question, Linux.EIO);
      return;
    }
    const isReplay = pid === this.#parts.replayThreadId();
    if (isReplay && this.replay.answer(question)) return;
    if (pid === this.#parts.mainThreadId) {
      this.fail(question, Linux.EDEADLK);
      return;
    }
    if (pid !== 0 && !isReplay) this.#meet(uid);
    const operation = this.#operations.get(opcode);
    if (operation === undefined) {
      this.fail(question, Linux.ENOSYS);
      return;
    }
    try {
      operation(this, question);
    } catch (error) {
      this.#parts.report(error);
      this.fail(question, Linux.EIO);
    }
    if (this.#isGivenUp) this.#giveUp();
  }

  /** Records the request at once; an unrecorded one would never be answered after the agent's end. */
  #record(unique: bigint): void {
    this.#parts.journal.asked(unique);
    this.#parts.journal.flush();
  }

  get #isGivenUp(): boolean {
    return (
      this.#downSince !== undefined && performance.now() >= this.#downSince + this.#parts.patienceMs
    );
  }

  /** Handles messages that need no reply. */
  #handleUnanswered(question: Question): boolean {
    const { opcode, body } = question;
    if (opcode === Opcode.init) {
      const bytes = answerInit(question);
      if (bytes === undefined)
        throw new Error('the kernel is too old for shared folders: it takes Linux 5.4');
      this.#resendsRequests = this.#parts.mayAskAgain && resendsRequests(question);
      this.recordFacts();
      writeDevice(this.deviceFd, bytes);
    } else if (opcode === Opcode.forget) this.#forget(question.node, readU64(body, 0));
    else if (opcode === Opcode.batchForget)
      for (let index = 0; index < body.readUInt32LE(0); index++)
        this.#forget(readU64(body, 8 + index * 16), readU64(body, 16 + index * 16));
    else if (opcode === Opcode.interrupt) this.#interrupt(body.readBigUInt64LE(0));
    else return opcode === Opcode.destroy;
    return true;
  }

  #forget(id: number, lookups: number): void {
    const node = this.nodes.get(id);
    const path = node && this.nodes.pathOf(node);
    const folder = node?.links[0]?.folder;
    if (!this.nodes.forget(id, lookups) || path === undefined || folder === undefined) return;
    if (!isDirectory(node!.stat)) return;
    this.nodes.leave(folder);
    this.link.tell(Wire.unwatch, (frame) => frame.name(path));
  }

  /** Handles an interrupt. Most replies arrive soon, and a needless EINTR would surprise programs. */
  #interrupt(unique: bigint): void {
    const waiting = this.#waiting.get(unique);
    if (waiting === undefined) return;
    waiting.isInterrupted = true;
    waiting.since = performance.now();
    if (!this.link.isUp) this.fail({ unique }, Linux.EINTR);
  }

  /** Notes a user. With a second one the kernel must not cache anything with an owner. */
  #meet(uid: number): void {
    if (this.#users.has(uid)) return;
    this.#users.add(uid);
    this.#parts.journal.user(uid);
    if (this.#users.size === 2) this.replay.forgetAttributes();
  }

  #onNews(reader: FrameReader): void {
    if (reader.operation === Wire.changes) this.replay.take(reader);
    else if (reader.operation === Wire.missed) this.replay.takeMissed(reader);
    else if (reader.operation === Wire.lost) this.loseAll();
    else return;
    this.heard++;
  }
}

function operationsOf(files: OpenFiles, folders: OpenFolders): Map<number, Operation> {
  return new Map<number, Operation>([
    [Opcode.lookup, names.lookup],
    [Opcode.getattr, getattr],
    [Opcode.setattr, setattr],
    [Opcode.readlink, names.readlink],
    [Opcode.symlink, names.symlink],
    [Opcode.mknod, names.mknod],
    [Opcode.mkdir, names.mkdir],
    [Opcode.unlink, names.unlink],
    [Opcode.rmdir, names.rmdir],
    [Opcode.rename, names.rename],
    [Opcode.rename2, names.rename2],
    [Opcode.link, names.link],
    [Opcode.open, files.open],
    [Opcode.create, files.create],
    [Opcode.read, files.read],
    [Opcode.write, files.write],
    [Opcode.flush, files.flush],
    [Opcode.fsync, files.fsync],
    [Opcode.release, files.release],
    [Opcode.opendir, folders.opendir],
    [Opcode.readdir, folders.readdir],
    [Opcode.readdirplus, folders.readdirplus],
    [Opcode.releasedir, folders.releasedir],
    // The host decides when a folder's content is on its disk.
    [Opcode.fsyncdir, (share, question) => share.fail(question, 0)],
    [Opcode.access, access],
    [Opcode.statfs, statfs],
  ]);
}

export { rootNode };
