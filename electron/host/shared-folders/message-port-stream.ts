/** A byte stream between two threads: a Duplex at each end of a MessageChannel. */
import { Duplex } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';

/** Bytes, the number of bytes that were read, or null for the end. */
type Message = Uint8Array<ArrayBuffer> | number | null;

/** The window: a writer waits while this many bytes are unread. */
const windowBytes = 1024 * 1024;

export class PortStream extends Duplex {
  readonly #port: MessagePort;
  #underWay = 0;
  #held: (() => void) | undefined;
  /** Bytes that our reader has read and that were not reported yet. */
  #taken = 0;
  #isFull = false;

  constructor(port: MessagePort) {
    super({ allowHalfOpen: false });
    this.#port = port;
    port.on('message', (message: Message) => this.#onMessage(message));
    port.once('close', () => this.destroy());
  }

  #onMessage(message: Message): void {
    if (message === null) this.push(null);
    else if (typeof message === 'number') this.#goOn(message);
    else {
      this.#taken += message.length;
      this.#isFull = !this.push(Buffer.from(message.buffer, message.byteOffset, message.length));
      if (!this.#isFull) this.#tellTaken(windowBytes / 4);
    }
  }

  #goOn(taken: number): void {
    this.#underWay -= taken;
    if (this.#underWay >= windowBytes) return;
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }

  #tellTaken(atLeast: number): void {
    if (this.#taken < atLeast) return;
    this.#port.postMessage(this.#taken);
    this.#taken = 0;
  }

  override _read(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#tellTaken(1);
  }

  override _write(data: Buffer, _encoding: string, done: () => void): void {
    // A view would be posted with its whole underlying buffer, so it is copied.
    const own = new Uint8Array(data);
    this.#port.postMessage(own, [own.buffer]);
    this.#underWay += data.length;
    if (this.#underWay < windowBytes) done();
    else this.#held = done;
  }

  override _final(done: () => void): void {
    this.#port.postMessage(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#port.close();
    done(error);
  }
}
