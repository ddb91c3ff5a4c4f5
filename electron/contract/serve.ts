/** The host's end of the wire: runs channels for one renderer until its connection closes. */
import type { BridgeError } from './bridge.ts';
import type { HostChannels, HostDuplex } from './host-channels.ts';
import { costOf, streamWindowBytes, type ToHost, type ToRenderer, type WirePort } from './wire.ts';

/** One page has a few dozen open at most; beyond this something runs away. */
const maxOpen = 1024;

/** What is open under an id. */
interface Open {
  send?(value: unknown): void;
  credit?(bytes: number): void;
  close(): void;
}

export function serveChannels(port: WirePort<ToRenderer, ToHost>, host: HostChannels): void {
  const open = new Map<number, Open>();
  let closed = false;

  const post = (message: ToRenderer) => {
    if (!closed) port.post(message);
  };
  const fail = (id: number, error: unknown) => post({ type: 'failure', id, value: asError(error) });

  port.onMessage((message) => {
    switch (message.type) {
      case 'request':
        void answer(message.id, message.channel, message.value);
        return;
      case 'stream':
      case 'duplex':
        if (open.has(message.id) || open.size >= maxOpen)
          fail(message.id, new Error('Too many streams are open. Close some of them.'));
        else if (message.type === 'stream') void pour(message.id, message.channel, message.value);
        else void converse(message.id, message.channel, message.value);
        return;
      case 'send':
        open.get(message.id)?.send?.(message.value);
        return;
      case 'credit':
        open.get(message.id)?.credit?.(message.value);
        return;
      case 'close':
        open.get(message.id)?.close();
    }
  });
  port.onClose(() => {
    closed = true;
    for (const each of open.values()) each.close();
  });

  async function answer(id: number, channel: string, value: unknown): Promise<void> {
    try {
      const handler = handlerOf(host.requests, channel) as (value: unknown) => Promise<unknown>;
      post({ type: 'result', id, value: await handler(value) });
    } catch (error) {
      fail(id, error);
    }
  }

  async function pour(id: number, channel: string, value: unknown): Promise<void> {
    const abort = new AbortController();
    const window = new Window(streamWindowBytes);
    open.set(id, {
      credit: (bytes) => window.give(bytes),
      close: () => {
        abort.abort();
        window.close();
      },
    });
    try {
      const handler = handlerOf(host.streams, channel) as (
        value: unknown,
        signal: AbortSignal,
      ) => AsyncIterable<unknown>;
      for await (const item of handler(value, abort.signal)) {
        if (!(await window.room())) break;
        window.take(costOf(item));
        post({ type: 'item', id, value: item });
      }
      post({ type: 'end', id });
    } catch (error) {
      if (!abort.signal.aborted) fail(id, error);
    } finally {
      open.delete(id);
    }
  }

  async function converse(id: number, channel: string, value: unknown): Promise<void> {
    let duplex: HostDuplex<unknown> | undefined;
    let closedEarly = false;
    open.set(id, {
      send: (message) => duplex?.receive(message),
      close: () => {
        closedEarly = true;
        duplex?.close();
      },
    });
    try {
      const handler = handlerOf(host.duplexes, channel) as unknown as (
        value: unknown,
        emit: (message: unknown) => void,
      ) => Promise<HostDuplex<unknown>>;
      duplex = await handler(value, (message) => post({ type: 'item', id, value: message }));
      if (closedEarly) duplex.close();
      else post({ type: 'opened', id });
      await duplex.ended;
      post({ type: 'end', id });
    } catch (error) {
      fail(id, error);
    } finally {
      open.delete(id);
    }
  }
}

/** A name from the other side must find the host's own entries only, not `constructor`. */
function handlerOf<T extends object>(handlers: T, channel: string): T[keyof T] {
  if (!Object.hasOwn(handlers, channel)) throw new Error(`There is no channel "${channel}".`);
  return handlers[channel as keyof T];
}

function asError(error: unknown): BridgeError {
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { name: 'Error', message: String(error) };
}

/** How much of a stream may still be sent before its consumer takes some. */
class Window {
  #left: number;
  #closed = false;
  #wake = () => {};

  constructor(bytes: number) {
    this.#left = bytes;
  }

  take(bytes: number): void {
    this.#left -= bytes;
  }

  give(bytes: number): void {
    // From the other side: anything but a sane number would break the sum for good.
    if (!Number.isSafeInteger(bytes) || bytes < 0) return;
    this.#left = Math.min(this.#left + bytes, streamWindowBytes);
    if (this.#left > 0) this.#wake();
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Waits for room; false when the stream was closed meanwhile. */
  async room(): Promise<boolean> {
    while (this.#left <= 0 && !this.#closed)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return !this.#closed;
  }
}
