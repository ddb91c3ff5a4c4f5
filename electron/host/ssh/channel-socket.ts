/**
 * Makes an SSH channel usable as a socket of node's HTTP client. ssh2's own channel is not: its
 * destroy() does not end a pending read, and its `close` comes only after the other side's answer.
 */
import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';

export class ChannelSocket extends Duplex {
  readonly #channel: ClientChannel;

  constructor(channel: ClientChannel) {
    // An engine that ends its half of an HTTP connection reads no further request.
    super({ allowHalfOpen: false });
    this.#channel = channel;
    channel.on('data', (data: Buffer) => {
      // While nothing is read ssh2 does not enlarge the window, so the agent stops sending.
      if (!this.push(data)) channel.pause();
    });
    channel.on('end', () => this.push(null));
    channel.on('error', (error: Error) => this.destroy(error));
    channel.on('close', () => {
      // Data that has arrived but is unread still belongs to an answer.
      if (this.readableLength === 0) this.destroy();
      else this.once('end', () => this.destroy());
    });
  }

  override _read(): void {
    this.#channel.resume();
  }

  override _write(data: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#channel.write(data, done);
  }

  override _final(done: () => void): void {
    this.#channel.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // Closing at once ends a stream in the agent too.
    this.#channel.close();
    this.#channel.resume();
    done(error);
  }

  /** node's HTTP client calls these on a socket; they have no meaning for a channel. */
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
