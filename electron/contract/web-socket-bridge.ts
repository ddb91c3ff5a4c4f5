/**
 * The bridge over a WebSocket, for a browser. It connects again by itself; what was open when the
 * connection broke fails with `Disconnected`, and whoever still needs it opens it again.
 */
import type { Bridge } from './bridge.ts';
import { decode, encode } from './codec.ts';
import type { ToHost, ToRenderer, WirePort } from './wire.ts';
import { disconnected } from './wire.ts';
import { BridgeFailure, WireClient } from './wire-client.ts';

const firstRetryMs = 100;
const longestRetryMs = 3_000;

/** @param url such as `ws://127.0.0.1:4000/bridge`. */
export function createWebSocketBridge(url: string): Bridge & { close(): void } {
  const connection = new Reconnecting(url);
  return {
    request: (async (channel: string, value?: unknown) => {
      // The person's own browser is the one that shows this page.
      if (channel === 'shell.open') return openInTab(String(value));
      return (await connection.client()).request(channel, value);
    }) as Bridge['request'],
    async *stream(channel, request, signal) {
      const client = await connection.client();
      // The wire carries what the host's own types say; bridge.ts is the word for both ends.
      yield* client.stream(channel, request, signal) as AsyncIterable<never>;
    },
    duplex: (async (channel, request, onMessage, onEnd = () => {}) => {
      const client = await connection.client();
      return client.duplex(channel, request, onMessage as (message: unknown) => void, onEnd);
    }) as Bridge['duplex'],
    onConnection: (listener) => connection.watch(listener),
    close: () => connection.close(),
  };
}

class Reconnecting {
  readonly #url: string;
  readonly #listeners = new Set<(connected: boolean) => void>();
  #next = promised();
  #socket: WebSocket | undefined;
  #connected = false;
  #retryMs = firstRetryMs;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(url: string) {
    this.#url = url;
    this.#connect();
  }

  /** The live connection, or the outcome of the attempt that is under way or next. */
  client(): Promise<WireClient> {
    return this.#next.promise;
  }

  watch(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#connected);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
  }

  #connect(): void {
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    // Registered before `open`: the host may speak at once.
    const client = new WireClient(portOf(socket));
    socket.addEventListener('open', () => {
      this.#retryMs = firstRetryMs;
      this.#next.resolve(client);
      this.#tell(true);
    });
    socket.addEventListener('close', () => {
      this.#next.reject(new BridgeFailure(disconnected));
      this.#next = promised();
      this.#tell(false);
      if (this.#closed) this.#next.reject(new BridgeFailure(disconnected));
      else this.#timer = setTimeout(() => this.#connect(), this.#wait());
    });
  }

  #wait(): number {
    const waitMs = this.#retryMs;
    this.#retryMs = Math.min(waitMs * 2, longestRetryMs);
    return waitMs;
  }

  #tell(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }
}

function promised() {
  const next = Promise.withResolvers<WireClient>();
  // Nobody may be waiting when an attempt fails.
  next.promise.catch(() => {});
  return next;
}

function portOf(socket: WebSocket): WirePort<ToHost, ToRenderer> {
  return {
    post: (message) => {
      // What is sent while it closes is lost anyway; its owner hears of the close.
      if (socket.readyState === 1) socket.send(encode(message) as Uint8Array<ArrayBuffer>);
    },
    onMessage: (listener) =>
      socket.addEventListener('message', ({ data }) =>
        listener(decode(new Uint8Array(data as ArrayBuffer)) as ToRenderer),
      ),
    onClose: (listener) => socket.addEventListener('close', listener),
    close: () => socket.close(),
  };
}

function openInTab(address: string): void {
  const { protocol } = new URL(address);
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new BridgeFailure({
      name: 'Refused',
      message: `Only http and https addresses are opened, not "${protocol}".`,
    });
  const page = globalThis as { open?: (url: string, target: string, features: string) => unknown };
  page.open?.(address, '_blank', 'noopener,noreferrer');
}
