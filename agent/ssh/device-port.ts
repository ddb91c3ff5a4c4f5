/**
 * SSH over a virtio-serial port of the machine in place of a socket, one session at a time.
 *
 * A port is one endless stream of bytes, so the beginning of a session must be recognised in it:
 *
 * - The server's identification is sent as soon as the port is open. A new client waits for it, and a client with a
 * session of an earlier agent takes it for a broken packet and disconnects.
 *
 * - A client's identification after other bytes means a new client, whose predecessor left too quickly for the port
 * to report it. It is at the start of a chunk, because a read of a port returns bytes of only one write of the host.
 */
import { Duplex } from 'node:stream';

export interface DevicePortOptions {
  /** Opens the port; `undefined` while no client has the other end open. Throws when the port cannot be opened. */
  open(): Duplex | undefined;
  /** Gets each new session, like a connected socket. */
  serveSession(session: Duplex): void;
  report(error: unknown): void;
  /** Interval of tries to open the port, which offers no event for that. */
  retryMs?: number;
}

const identification = Buffer.from('SSH-');

export class DevicePort {
  readonly #options: DevicePortOptions;
  #stream: Duplex | undefined;
  #session: Session | undefined;
  /** True when the first client of this stream has sent data: the next identification is another client's. */
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
    // A client that leaves shows as an end on a virtio port and as an error on a terminal; `close` follows both.
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
      // Each error is reported once and not at every try.
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
    this.#options.serveSession(session);
  }

  #receive(chunk: Buffer, stream: Duplex): void {
    const old = this.#session;
    const isClient = chunk.subarray(0, identification.length).equals(identification);
    // Without a session this is the client of an ended one, and learns it in the same way as one of an earlier agent.
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

/** The SSH server's view of the port as a socket. */
class Session extends Duplex {
  readonly #stream: Duplex;

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
  }

  /** Returns false when the server wants no more data for now. */
  receive(chunk: Buffer): boolean {
    return this.destroyed || this.push(chunk);
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // A closed port ends this session too, so nobody needs the result of the write.
    if (this.destroyed || this.#stream.destroyed) done();
    else this.#stream.write(chunk, () => done());
  }

  /** A port has no half-close: the end of the server's output ends the session. */
  override _final(done: () => void): void {
    done();
    this.destroy();
  }
}
