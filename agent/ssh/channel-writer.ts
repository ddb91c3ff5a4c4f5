/**
 * Writes into an SSH channel no faster than the peer reads: one write at a time waits for the channel's window (RFC
 * 4254 §5.2) and for the socket under it, so memory stays bounded.
 */
import type { Duplex } from 'node:stream';
import type { ServerChannel } from 'ssh2';

export class ChannelWriter {
  readonly #channel: ServerChannel;
  readonly #socket: Duplex;
  #closed = false;
  #wake = () => {};

  /** `onClosed` runs once, when the channel is closed or its connection is broken. */
  constructor(channel: ServerChannel, socket: Duplex, onClosed: () => void) {
    this.#channel = channel;
    this.#socket = socket;
    const close = () => {
      channel.off('close', close);
      socket.off('close', close);
      this.#closed = true;
      // ssh2 drops the callback of a waiting write when the channel closes; this ends the wait.
      this.#wake();
      onClosed();
    };
    // Both events are needed: after a broken connection ssh2 closes a channel only when all its input was read.
    channel.once('close', close);
    socket.once('close', close);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Resolves with false when the channel is closed, and then the caller stops. */
  async write(data: Uint8Array, stream: 'stdout' | 'stderr' = 'stdout'): Promise<boolean> {
    if (this.#closed) return false;
    forgetSentChunk(this.#channel);
    const target = stream === 'stdout' ? this.#channel : this.#channel.stderr;
    await this.#wait((done) => target.write(data, done));
    // ssh2 checks only the window: with a client that grants a huge one and reads nothing, the socket's buffer would
    // grow without limit.
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
 * ssh2 1.17 keeps the last stdout chunk that had to wait, and sends it again when stderr next waits for the window
 * (Channel.js sets `_chunk` and never clears it; server.js tries it before `_chunkErr`). This clears it.
 */
function forgetSentChunk(channel: ServerChannel): void {
  const pending: { _chunk?: unknown; _chunkcb?: unknown } = channel as object;
  pending._chunk = undefined;
  pending._chunkcb = undefined;
}
