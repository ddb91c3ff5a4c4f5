/**
 * The agent's end of the channel to the host, with many requests at once. Requests wait while there is no connection;
 * the next connection repeats all unanswered ones in order, and the host recognises those that it has executed.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import {
  changingOperations,
  FrameReader,
  FrameSplitter,
  FrameWriter,
  ShareOperation as Wire,
} from '../contract/share-wire.ts';
import { PollEvent } from '../kernel/poll.ts';
import { receive, send } from '../kernel/unix-listener.ts';

type OnAnswer = (reader: FrameReader) => void;

type Fill = (frame: FrameWriter) => void;

interface Unanswered {
  frame: Buffer;
  fill: Fill;
  onAnswer: OnAnswer;
}

export interface AskOptions {
  /** Size of the request without its header, in bytes. */
  roomBytes?: number;
  /** An even number, for a request that must not be executed twice. */
  id?: number;
}

const { EAGAIN, ENOENT } = constants.errno;
const receiveBuffer = Buffer.allocUnsafe(1024 * 1024);
/** Number of replies that are acknowledged together; the host keeps a reply until then. */
const haveATime = 64;
/** Small frames of one iteration are sent together up to this size. */
const togetherBytes = 64 * 1024;

export class HostLink {
  readonly #unanswered = new Map<number, Unanswered>();
  readonly #onFrame: (reader: FrameReader) => void;
  #queue: Buffer[] = [];
  #have: number[] = [];
  #splitter = new FrameSplitter();
  #fd: number | undefined;
  #lastId = -1;

  /** `onFrame` gets frames that the host sends without a request. */
  constructor(onFrame: (reader: FrameReader) => void) {
    this.#onFrame = onFrame;
  }

  get fd(): number | undefined {
    return this.#fd;
  }

  get isUp(): boolean {
    return this.#fd !== undefined;
  }

  get events(): number {
    return this.#queue.length > 0 ? PollEvent.in | PollEvent.out : PollEvent.in;
  }

  ask(
    operation: number,
    fill: Fill,
    onAnswer: OnAnswer,
    { roomBytes, id = this.#nextId() }: AskOptions = {},
  ): number {
    const writer = new FrameWriter(id, operation, 0, roomBytes);
    fill(writer);
    const frame = writer.finish();
    this.#unanswered.set(id, { frame, fill, onAnswer });
    if (this.#fd !== undefined) this.#queue.push(frame);
    return id;
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 2) >>> 0;
    return this.#lastId;
  }

  /** Sends a message that needs no reply; it is dropped without a connection. */
  tell(operation: number, fill: Fill): void {
    if (this.#fd === undefined) return;
    const writer = new FrameWriter(0, operation);
    fill(writer);
    this.#queue.push(writer.finish());
  }

  /** Continues on a new connection, which begins with `first`, followed by all unanswered requests. */
  resume(fd: number, splitter: FrameSplitter, first: readonly Buffer[]): void {
    this.drop();
    this.#fd = fd;
    this.#splitter = splitter;
    this.#queue = [...first];
    this.#tellHave();
    this.#queue.push(...[...this.#unanswered.values()].map(({ frame }) => frame));
  }

  drop(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#queue = [];
  }

  /** Fails all unanswered requests with an error. */
  failAll(errno: number): void {
    const given = [...this.#unanswered];
    this.#unanswered.clear();
    for (const [id, { onAnswer }] of given)
      onAnswer(new FrameReader(new FrameWriter(id, 0, errno).finish()));
  }

  /** Returns false when the connection has ended. */
  onReady(events: number): boolean {
    if (this.#fd === undefined) return false;
    if ((events & ~PollEvent.out) !== 0 && !this.#receive()) return false;
    return this.flush();
  }

  flush(): boolean {
    while (this.#queue.length > 0 && this.#fd !== undefined) {
      const chunk = this.#nextChunk();
      const sent = send(this.#fd, chunk);
      if (sent < 0) {
        this.#queue.unshift(chunk);
        return sent === -EAGAIN;
      }
      if (sent < chunk.length) this.#queue.unshift(chunk.subarray(sent));
    }
    return true;
  }

  handleFrame(frame: Buffer): void {
    const reader = new FrameReader(frame);
    const unanswered = this.#unanswered.get(reader.id);
    if (unanswered === undefined) this.#onFrame(reader);
    else {
      if (changingOperations.has(reader.operation)) this.#have.push(reader.id);
      if (reader.errno !== ENOENT || !this.#askAgainByNewPath(reader, unanswered)) {
        this.#unanswered.delete(reader.id);
        unanswered.onAnswer(reader);
      }
      if (this.#have.length >= haveATime) this.#tellHave();
    }
  }

  /** Repeats a request by its new path, when a folder in its path was renamed meanwhile. */
  #askAgainByNewPath({ id, operation }: FrameReader, unanswered: Unanswered): boolean {
    // A write has no path, and its bytes are gone.
    if (operation === Wire.write) return false;
    const writer = new FrameWriter(id, operation);
    unanswered.fill(writer);
    const frame = writer.finish();
    if (frame.equals(unanswered.frame)) return false;
    // It becomes the last entry because it is sent last. The host has dropped its earlier reply.
    this.#unanswered.delete(id);
    this.#unanswered.set(id, { ...unanswered, frame });
    this.#tellHave();
    this.#queue.push(frame);
    return true;
  }

  /** Acknowledges replies, whose requests will not be repeated. */
  #tellHave(): void {
    const have = this.#have.splice(0);
    if (have.length === 0) return;
    this.tell(Wire.have, (frame) => {
      for (const id of have) frame.u32(id);
    });
  }

  /** Tells the host that all requests were repeated on this connection or after another agent. */
  tellSettled(openHandles: readonly number[]): void {
    this.tell(Wire.settled, (frame) => {
      for (const handle of openHandles) frame.u64(handle);
    });
  }

  #receive(): boolean {
    // Reads at most one buffer, because the kernel's requests wait in the same loop.
    const length = receive(this.#fd!, receiveBuffer);
    if (length === -EAGAIN) return true;
    if (length <= 0) return false;
    // Listings and changes are kept, so they must not refer to a reused buffer.
    const chunk = Buffer.from(receiveBuffer.subarray(0, length));
    this.#splitter.push(chunk, (frame) => this.handleFrame(frame));
    return true;
  }

  #nextChunk(): Buffer {
    const first = this.#queue.shift()!;
    if (first.length >= togetherBytes || this.#queue.length === 0) return first;
    const chunks = [first];
    let length = first.length;
    for (; this.#queue.length > 0; chunks.push(this.#queue.shift()!)) {
      length += this.#queue[0]!.length;
      if (length > togetherBytes) break;
    }
    return chunks.length === 1 ? first : Buffer.concat(chunks);
  }
}
