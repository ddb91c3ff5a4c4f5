/**
 * SSH over a port of the machine (virtio-serial) in place of a socket: one session at a time, begun
 * again whenever it ends.
 *
 * A port is one stream of bytes for good, so the beginning of a session has to be seen in it:
 * - The server's identification goes out as soon as somebody is there. A new client waits for it, and
 *   one that holds a session of an agent that is gone takes it for a broken packet and hangs up.
 * - A client's identification after other bytes is a new client, whose predecessor left too quickly for
 *   the port to say so. It is at the start of a chunk, because a read of a port gives bytes of one write
 *   of the host only.
 */
import { Duplex } from 'node:stream';

export interface DevicePortOptions {
  /** Undefined while nobody is at the other end; throws when the port cannot be opened at all. */
  open(): Duplex | undefined;
  /** Takes a new session, as if it were a socket that has connected. */
  welcome(session: Duplex): void;
  report(error: unknown): void;
  /** How often to look whether somebody has come; a port has no way to wait for that alone. */
  retryMs?: number;
}

const identification = Buffer.from('SSH-');

export class DevicePort {
  readonly #options: DevicePortOptions;
  #stream: Duplex | undefined;
  #session: Session | undefined;
  /** Something has come from this stream's first client: the next identification is another's. */
  #greeted = false;
  #timer: NodeJS.Timeout | undefined;
  #reported = '';
  #closed = false;

  constructor(options: DevicePortOptions) {
    this.#options = options;
    this.#open();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#session?.destroy();
    this.#stream?.destroy();
  }

  #open(): void {
    const stream = this.#tryOpen();
    if (stream === undefined) {
      this.#timer = setTimeout(() => this.#open(), this.#options.retryMs ?? 25);
      return;
    }
    this.#stream = stream;
    this.#greeted = false;
    // Leaving shows as an end on a virtio port and as an error on a terminal; `close` follows both.
    stream.on('error', () => {});
    stream.once('end', () => stream.destroy());
    stream.once('close', () => this.#left());
    stream.on('data', (chunk: Buffer) => this.#receive(chunk, stream));
    this.#begin(stream);
  }

  #tryOpen(): Duplex | undefined {
    try {
      return this.#options.open();
    } catch (error) {
      // Said once, not at every try.
      if (String(error) !== this.#reported) this.#options.report(error);
      this.#reported = String(error);
      return undefined;
    }
  }

  #begin(stream: Duplex): void {
    const session = new Session(stream);
    this.#session = session;
    session.once('close', () => {
      if (this.#session !== session) return;
      this.#session = undefined;
      stream.resume();
    });
    this.#options.welcome(session);
  }

  #receive(chunk: Buffer, stream: Duplex): void {
    const old = this.#session;
    const isClient = chunk.subarray(0, identification.length).equals(identification);
    // Without a session this is a client of one that has ended: it is told as one of a gone agent is.
    if (old === undefined || (isClient && this.#greeted)) this.#begin(stream);
    this.#greeted = true;
    if (old !== this.#session) old?.destroy();
    if (this.#session?.receive(chunk) === false) stream.pause();
  }

  #left(): void {
    this.#stream = undefined;
    const session = this.#session;
    this.#session = undefined;
    session?.destroy();
    if (!this.#closed) this.#open();
  }
}

/** What the SSH server sees as its socket. */
class Session extends Duplex {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
  }

  /** False when the server takes no more for now. */
  receive(chunk: Buffer): boolean {
    return this.destroyed || this.push(chunk);
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // A port that has closed ends this session too; there is nobody left to tell of the write.
    if (this.destroyed || this.#stream.destroyed) done();
    else this.#stream.write(chunk, () => done());
  }

  /** A port has no half-close: a server that has said its last word has ended the session. */
  override _final(done: () => void): void {
    done();
    this.destroy();
  }
}
