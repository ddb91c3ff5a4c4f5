/**
 * The agent's end of the channel to the host: questions and their answers, many at once. While there
 * is no connection, questions wait; with the next one all that are unanswered are asked again, in
 * their order, and the host knows those that it has done already.
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
  /** How much it is, beside the header. */
  roomBytes?: number;
  /** An even number, for what must not be done twice. */
  id?: number;
}

const { EAGAIN, ENOENT } = constants.errno;
const receiveBuffer = Buffer.allocUnsafe(1024 * 1024);
/** Answers that are told to have arrived at once: until then the host remembers them. */
const haveATime = 64;
/** Small frames of one turn go to the socket together. */
const togetherBytes = 64 * 1024;

export class HostLink {
  readonly #unanswered = new Map<number, Unanswered>();
  readonly #onFrame: (reader: FrameReader) => void;
  #queue: Buffer[] = [];
  #have: number[] = [];
  #splitter = new FrameSplitter();
  #fd: number | undefined;
  #lastId = -1;

  /** `onFrame`: what the host tells unasked. */
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

  /** What needs no answer; while there is no connection it is not said at all. */
  tell(operation: number, fill: Fill): void {
    if (this.#fd === undefined) return;
    const writer = new FrameWriter(0, operation);
    fill(writer);
    this.#queue.push(writer.finish());
  }

  /** Goes on over a new connection; what had begun is said before all that is unanswered. */
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

  /** Answers all that is unanswered with an error. */
  failAll(errno: number): void {
    const given = [...this.#unanswered];
    this.#unanswered.clear();
    for (const [id, { onAnswer }] of given)
      onAnswer(new FrameReader(new FrameWriter(id, 0, errno).finish()));
  }

  /** False when the connection has ended. */
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
      if (reader.errno !== ENOENT || !this.#askAnew(reader, unanswered)) {
        this.#unanswered.delete(reader.id);
        unanswered.onAnswer(reader);
      }
      if (this.#have.length >= haveATime) this.#tellHave();
    }
  }

  /** A folder on the way has another name since: then the same is asked by that. */
  #askAnew({ id, operation }: FrameReader, unanswered: Unanswered): boolean {
    // It has no path, and its bytes have gone since.
    if (operation === Wire.write) return false;
    const writer = new FrameWriter(id, operation);
    unanswered.fill(writer);
    const frame = writer.finish();
    if (frame.equals(unanswered.frame)) return false;
    // Last, as it is asked last; and the host has forgotten its answer before.
    this.#unanswered.delete(id);
    this.#unanswered.set(id, { ...unanswered, frame });
    this.#tellHave();
    this.#queue.push(frame);
    return true;
  }

  /** Whoever asked has its answer: nobody is going to ask again. */
  #tellHave(): void {
    const have = this.#have.splice(0);
    if (have.length === 0) return;
    this.tell(Wire.have, (frame) => {
      for (const id of have) frame.u32(id);
    });
  }

  /** All that is to be asked again over this connection, or in another agent's place, has been. */
  tellSettled(openHandles: readonly number[]): void {
    this.tell(Wire.settled, (frame) => {
      for (const handle of openHandles) frame.u64(handle);
    });
  }

  #receive(): boolean {
    // One turn's worth: the kernel's questions wait in the same loop.
    const length = receive(this.#fd!, receiveBuffer);
    if (length === -EAGAIN) return true;
    if (length <= 0) return false;
    // Listings and changes are kept: they must not point into memory that is used again.
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
