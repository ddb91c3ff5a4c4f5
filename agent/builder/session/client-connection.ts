/**
 * HTTP/2 with a client that serves: after `POST /session` roles turn round, and we call the services that the client
 * has. A connection cannot be made anew, since it is the client who makes it.
 */
import { type ClientHttp2Session, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { MessageStream } from './message-stream.ts';

const authority = 'http://session';
/** How much may be under way to us, of one call and of all: the default of 64 KB waits for every round trip. */
const callWindowBytes = 4 * 1024 ** 2;
const connectionWindowBytes = 16 * 1024 ** 2;
const maxFrameBytes = 256 * 1024;

export type CallMetadata = Readonly<Record<string, string | readonly string[]>>;

export class ClientConnection {
  /** For calls with one answer. */
  readonly transport: Transport;
  readonly #http2: ClientHttp2Session;
  readonly #closed = new AbortController();

  constructor(connection: Duplex) {
    const http2 = connect(authority, {
      createConnection: () => connection,
      settings: {
        enablePush: false,
        initialWindowSize: callWindowBytes,
        maxFrameSize: maxFrameBytes,
      },
    });
    this.#http2 = http2;
    http2.once('connect', () => http2.setLocalWindowSize(connectionWindowBytes));
    // 'close' follows, and calls under way fail on their own.
    http2.on('error', () => {});
    http2.once('close', () => this.#close());
    connection.once('close', () => this.#close());
    this.transport = createGrpcTransport({
      baseUrl: authority,
      sessionManager: {
        authority,
        request: async (method, path, headers, options) => {
          this.#throwIfClosed();
          return http2.request({ ...headers, ':method': method, ':path': path }, options);
        },
        notifyResponseByteRead: () => {},
      },
    });
  }

  /** Aborts when the client has gone away; the reason is what to tell who waits. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Begins a call that streams both ways. Throws ConnectError when the client has gone away. */
  stream(path: string, metadata: CallMetadata, signal?: AbortSignal): MessageStream {
    this.#throwIfClosed();
    const headers = Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : [...value],
      ]),
    );
    const stream = this.#http2.request({
      ...headers,
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    return new MessageStream(stream, signal);
  }

  destroy(): void {
    this.#http2.destroy();
    this.#close();
  }

  #close(): void {
    this.#closed.abort(new ConnectError('the client has ended its session', Code.Canceled));
  }

  #throwIfClosed(): void {
    if (this.closed.aborted || this.#http2.destroyed || this.#http2.closed)
      throw new ConnectError('the client has ended its session', Code.Canceled);
  }
}
