/**
 * Writes into an SSH channel no faster than the other side takes it: one write at a time waits for
 * the channel's window (RFC 4254 §5.2) and for the socket under it, so memory stays bounded.
 */
import type { Duplex } from 'node:stream';
import type { ServerChannel } from 'ssh2';

export class ChannelWriter {
  readonly #channel: ServerChannel;
  readonly #socket: Duplex;
  #closed = false;
  #wake = () => {};

  /** `onClosed` runs once, when the channel has closed or the connection under it has broken. */
  constructor(channel: ServerChannel, socket: Duplex, onClosed: () => void) {
    this.#channel = channel;
    this.#socket = socket;
    const close = () => {
      channel.off('close', close);
      socket.off('close', close);
      this.#closed = true;
      // ssh2 drops the callback of a write that waits when the channel closes; this ends the wait.
      this.#wake();
      onClosed();
    };
    // Both: when the connection breaks, ssh2 says so on a channel only after all its input is read.
    channel.once('close', close);
    socket.once('close', close);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** False once the channel is gone; the caller stops then. */
  async write(data: Uint8Array, stream: 'stdout' | 'stderr' = 'stdout'): Promise<boolean> {
    if (this.#closed) return false;
    forgetSentChunk(this.#channel);
    const target = stream === 'stdout' ? this.#channel : this.#channel.stderr;
    await this.#wait((done) => target.write(data, done));
    // ssh2 looks at the window only: a client that grants a huge one and reads nothing would grow
    // the socket's buffer without end.
    if (!this.#closed && this.#socket.writableNeedDrain)
      await this.#wait((done) => this.#socket.once('drain', done));
    return !this.#closed;
  }

  #wait(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      start(resolve);
    });
  }
}

/**
 * ssh2 1.17 keeps the last stdout chunk that had to wait, and sends it again when stderr next waits
 * for the window (Channel.js sets `_chunk` and never clears it; server.js tries it before `_chunkErr`).
 */
function forgetSentChunk(channel: ServerChannel): void {
  const pending: { _chunk?: unknown; _chunkcb?: unknown } = channel as object;
  pending._chunk = undefined;
  pending._chunkcb = undefined;
}
