/** Sends DNS queries to the computer that this machine runs on (contract/dns-service.ts), while it is connected. */
import type { Duplex } from 'node:stream';
import { FrameReader, framed } from '../contract/framing.ts';

/** The host may have to ask several servers, each of which takes time. */
const answerTimeoutMs = 6000;
/** Limit of queries that wait for the host; further ones go to the machine's own name servers. */
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

  /** Uses a host's channel until it closes. */
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

  /** Resolves with `undefined` when no host is connected or it did not answer in time. */
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

  /** Queries get new IDs, because two containers may use the same one. */
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
