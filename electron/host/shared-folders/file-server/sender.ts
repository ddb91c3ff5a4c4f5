/** The host's half of a folder's channel. */
import type { Duplex } from 'node:stream';

const smallBytes = 8 * 1024;
const laterMs = 20;

/** Small answers go before large ones, and what was said first goes first among its like. */
export class Sender {
  readonly #channel: Duplex;
  #small: Buffer[] = [];
  #large: Buffer[] = [];
  #isWaiting = false;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;
  /** Called when what was too much has gone. */
  onRoom = () => {};

  constructor(channel: Duplex) {
    this.#channel = channel;
    channel.on('drain', () => {
      this.#isWaiting = false;
      this.onRoom();
      this.#pump();
    });
  }

  /** The line takes nothing more for now. */
  get isBehind(): boolean {
    return this.#isWaiting;
  }

  send(frame: Buffer): void {
    (frame.length <= smallBytes ? this.#small : this.#large).push(frame);
    this.#schedule();
  }

  /** Before all that is answered later: who is told that a name is not there knows by then where it went. */
  tell(frame: Buffer): void {
    this.#small.push(frame);
    this.#schedule();
  }

  /** With what is answered next: nobody waits for it. */
  sendLater(frame: Buffer): void {
    this.#small.push(frame);
    this.#timer ??= setTimeout(() => this.#schedule(), laterMs);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isWaiting) return;
    this.#isScheduled = true;
    // What one chunk of questions is answered with goes together.
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
