/**
 * An SSH channel in the shape that node's HTTP client wants of a socket. ssh2's own channel cannot
 * be given to it: its destroy() does not end a pending read, and its `close` comes only when the
 * other side has answered.
 */
import { Duplex } from 'node:stream';
import type { ClientChannel } from 'ssh2';

export class ChannelSocket extends Duplex {
  readonly #channel: ClientChannel;

  constructor(channel: ClientChannel) {
    // The engine that ends its half of an HTTP connection wants no more of it.
    super({ allowHalfOpen: false });
    this.#channel = channel;
    channel.on('data', (data: Buffer) => {
      // Not reading on makes ssh2 hold back the window, and that stops the agent.
      if (!this.push(data)) channel.pause();
    });
    channel.on('end', () => this.push(null));
    channel.on('error', (error: Error) => this.destroy(error));
    channel.on('close', () => {
      // What has arrived but is not read yet is still an answer.
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
    // Closing tells the agent at once, so that a stream nobody reads stops there too.
    this.#channel.close();
    this.#channel.resume();
    done(error);
  }

  /** What node's HTTP client calls on a socket and what means nothing on a channel. */
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
