/** Asks the computer around this machine (contract/dns-service.ts), while it is connected. */
import type { Duplex } from 'node:stream';
import { FrameReader, framed } from '../contract/framing.ts';

/** A name that the host finds by itself, where it has to ask several servers, takes its time. */
const answerTimeoutMs = 6000;
/** More is not asked at once; it is answered by the machine's own servers. */
const pendingLimit = 1024;

type Waiting = Map<number, (answer: Buffer | undefined) => void>;

export class HostResolver {
  readonly #channels = new Map<Duplex, Waiting>();
  readonly #answerTimeoutMs: number;
  #lastId = 0;

  constructor(options: { answerTimeoutMs?: number } = {}) {
    this.#answerTimeoutMs = options.answerTimeoutMs ?? answerTimeoutMs;
  }

  get isConnected(): boolean {
    return this.#channels.size > 0;
  }

  /** A host's channel, until it closes. */
  serve(channel: Duplex): void {
    const waiting: Waiting = new Map();
    const frames = new FrameReader();
    this.#channels.set(channel, waiting);
    channel.on('data', (piece: Buffer) => {
      for (const answer of frames.push(piece))
        if (answer.length >= 2) waiting.get(answer.readUInt16BE())?.(answer);
    });
    channel.on('error', () => undefined);
    channel.on('end', () => channel.end());
    channel.on('close', () => {
      this.#channels.delete(channel);
      for (const settle of waiting.values()) settle(undefined);
    });
  }

  /** Undefined: no host is connected, or it did not answer in time. */
  ask(message: Buffer): Promise<Buffer | undefined> {
    const [connected] = this.#channels;
    if (connected === undefined || connected[1].size >= pendingLimit)
      return Promise.resolve(undefined);
    const [channel, waiting] = connected;
    const id = this.#freeId(waiting);
    return new Promise((resolve) => {
      const settle = (answer: Buffer | undefined) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(answer && withId(answer, message.readUInt16BE()));
      };
      const timer = setTimeout(() => settle(undefined), this.#answerTimeoutMs);
      waiting.set(id, settle);
      channel.write(framed(withId(message, id)));
    });
  }

  /** Two containers may ask with the same id. */
  #freeId(waiting: Waiting): number {
    do this.#lastId = (this.#lastId + 1) & 0xffff;
    while (waiting.has(this.#lastId));
    return this.#lastId;
  }
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(id);
  return copy;
}
