/** Sends frames over a folder's channel, from this computer's side. */
import type { Duplex } from 'node:stream';

const smallBytes = 8 * 1024;
const laterMs = 20;

/** Small replies overtake large ones; among equals the order stays. */
export class Sender {
  readonly #channel: Duplex;
  #small: Buffer[] = [];
  #large: Buffer[] = [];
  #isWaiting = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called when the backlog has been sent. */
  onDrain = () => {};

  constructor(channel: Duplex) {
    this.#channel = channel;
    channel.on('drain', () => {
      this.#isWaiting = false;
      this.onDrain();
      this.#pump();
    });
  }

  /** True while the channel's buffer is full. */
  get isBehind(): boolean {
    return this.#isWaiting;
  }

  send(frame: Buffer): void {
    (frame.length <= smallBytes ? this.#small : this.#large).push(frame);
    this.#schedule();
  }

  /** Sends a change before all later replies, so that a reply never contradicts a change that is still on its way. */
  tell(frame: Buffer): void {
    this.#small.push(frame);
    this.#schedule();
  }

  /** Queues a frame that is sent with the next reply, since nothing waits for it. */
  sendLater(frame: Buffer): void {
    this.#small.push(frame);
    this.#timer ??= setTimeout(() => this.#schedule(), laterMs);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWaiting) return;
    this.#isScheduled = true;
    // The replies to one chunk of requests are sent together.
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (!this.#isWaiting && this.#small.length + this.#large.length > 0) {
      const small = this.#small.splice(0);
      const next = small.length > 0 ? Buffer.concat(small) : this.#large.shift()!;
      this.#isWaiting = !this.#channel.write(next);
    }
  }
}
