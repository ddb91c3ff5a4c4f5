/**
 * One gRPC call that streams both ways, message by message as bytes. connect's own streams take 20 times as long for
 * each message, which is what a build context of many files or gigabytes consists of. Wire format:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
import { once } from 'node:events';
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import { Code, ConnectError } from '@connectrpc/connect';

const { NGHTTP2_CANCEL } = constants;
const prefixBytes = 5;
const lastWordMs = 2_000;
/** As BuildKit's own bound; what comes is at most 3 MB in practice. */
const maxMessageBytes = 16 * 1024 ** 2;

export class MessageStream {
  readonly #stream: ClientHttp2Stream;
  readonly #signal: AbortSignal | undefined;
  #answer: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;

  /** The call is cancelled when the signal aborts, and reading then throws its reason. */
  constructor(stream: ClientHttp2Stream, signal?: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    stream.on('response', (headers) => {
      // A call that fails at once has its status here, and no trailers.
      if (headers['grpc-status'] !== undefined || headers[':status'] !== 200)
        this.#answer = headers;
    });
    stream.on('trailers', (headers) => {
      this.#answer = headers;
    });
    // Whoever reads or writes hears of it; without a listener it would end the process.
    stream.on('error', () => {});
    if (signal?.aborted) this.cancel();
    const cancel = () => this.cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    stream.once('close', () => signal?.removeEventListener('abort', cancel));
  }

  /**
   * All messages that have arrived together. Ends with the call; throws ConnectError when it failed. Who stops reading
   * cancels the call or sends its last word.
   */
  async *batches(): AsyncGenerator<Buffer[]> {
    const messages = new MessageSplitter();
    const chunks = this.#stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
    let failure: unknown;
    try {
      for await (const chunk of chunks) {
        const batch = messages.push(chunk);
        if (batch.length > 0) yield batch;
      }
      failure = this.#failure(undefined);
    } catch (error) {
      failure = this.#failure(error);
    }
    // A client that answers before it has read everything closes the call early (RST_STREAM with NO_ERROR).
    if (failure !== undefined) throw failure;
  }

  /** Whether more may be written at once; else `drained` tells when. */
  send(...messages: Uint8Array[]): boolean {
    return this.#stream.writable && this.#stream.write(framed(messages));
  }

  /** Throws ConnectError when the call has ended instead. */
  async drained(): Promise<void> {
    if (!this.#stream.writable) throw this.#failure(undefined) ?? ended();
    if (!this.#stream.writableNeedDrain) return;
    const over = new AbortController();
    try {
      const signal = over.signal;
      await Promise.race([
        once(this.#stream, 'drain', { signal }),
        once(this.#stream, 'close', { signal }),
      ]);
    } catch {
      // The call's failure, which is thrown below in words.
    } finally {
      over.abort();
    }
    if (!this.#stream.writable) throw this.#failure(undefined) ?? ended();
  }

  /** Nothing more is sent. */
  end(): void {
    this.#stream.end();
  }

  /** Says why the call ends and reads no further; the client has a moment to end it itself. */
  sendLast(message: Uint8Array): void {
    this.send(message);
    this.#stream.end();
    this.#stream.resume();
    const timer = setTimeout(() => this.cancel(), lastWordMs).unref();
    this.#stream.once('close', () => clearTimeout(timer));
  }

  cancel(): void {
    this.#stream.close(NGHTTP2_CANCEL);
  }

  #failure(error: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    const { 'grpc-status': status, 'grpc-message': message, ':status': http } = this.#answer ?? {};
    if (status === '0') return undefined;
    if (status !== undefined) return new ConnectError(decoded(message), Number(status));
    if (http !== undefined) return new ConnectError(`HTTP status ${http}`, Code.Unknown);
    return ended(error);
  }
}

const ended = (cause?: unknown) =>
  new ConnectError('the client has gone away', Code.Unavailable, undefined, undefined, cause);

function decoded(message: string | string[] | undefined): string {
  try {
    return decodeURIComponent(String(message ?? ''));
  } catch {
    return String(message);
  }
}

/** Five bytes before each message: 0 for uncompressed, and its length. */
function framed(messages: readonly Uint8Array[]): Buffer {
  const total = messages.reduce((sum, { length }) => sum + prefixBytes + length, 0);
  const frame = Buffer.allocUnsafe(total);
  let at = 0;
  for (const message of messages) {
    frame[at] = 0;
    frame.writeUInt32BE(message.length, at + 1);
    frame.set(message, at + prefixBytes);
    at += prefixBytes + message.length;
  }
  return frame;
}

/** Cuts messages out of chunks that know nothing of them. */
export class MessageSplitter {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Bytes without which nothing can be done. */
  #needed = prefixBytes;

  push(chunk: Buffer): Buffer[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return [];
    const [only] = this.#chunks;
    const all = this.#chunks.length === 1 && only ? only : Buffer.concat(this.#chunks);
    const messages: Buffer[] = [];
    let at = 0;
    for (;;) {
      const left = all.length - at;
      this.#needed = left < prefixBytes ? prefixBytes : prefixBytes + lengthAt(all, at);
      if (left < this.#needed) break;
      messages.push(all.subarray(at + prefixBytes, at + this.#needed));
      at += this.#needed;
    }
    const rest = all.subarray(at);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return messages;
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0)
    throw new ConnectError('a compressed message, which nobody asked for', Code.Unimplemented);
  const length = bytes.readUInt32BE(at + 1);
  if (length > maxMessageBytes)
    throw new ConnectError(`a message of ${length} bytes`, Code.ResourceExhausted);
  return length;
}
