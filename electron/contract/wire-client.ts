/** The renderer's end of the wire, for the life of one connection. */
import type { BridgeError } from './bridge.ts';
import {
  costOf,
  disconnected,
  streamWindowBytes,
  type ToHost,
  type ToRenderer,
  type WirePort,
} from './wire.ts';

/** A failure of the host, under the host's name for it. */
export class BridgeFailure extends Error {
  constructor({ name, message }: BridgeError) {
    super(message);
    this.name = name;
  }
}

/** Credit is given back in portions, so that it does not cost a message an item. */
const creditPortionBytes = streamWindowBytes / 4;

type Listener = (message: ToRenderer) => void;

export class WireClient {
  readonly #port: WirePort<ToHost, ToRenderer>;
  readonly #listeners = new Map<number, Listener>();
  #nextId = 1;
  #closed = false;

  constructor(port: WirePort<ToHost, ToRenderer>) {
    this.#port = port;
    port.onMessage((message) => this.#listeners.get(message.id)?.(message));
    port.onClose(() => {
      this.#closed = true;
      for (const [id, listener] of [...this.#listeners])
        listener({ type: 'failure', id, value: disconnected });
    });
  }

  request(channel: string, value: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#listen((message) => {
        this.#listeners.delete(id);
        if (message.type === 'result') resolve(message.value);
        else if (message.type === 'failure') reject(new BridgeFailure(message.value));
      });
      this.#post({ type: 'request', id, channel, value });
    });
  }

  /** Ends without an error when the signal aborts. */
  async *stream(channel: string, value: unknown, signal?: AbortSignal): AsyncGenerator<unknown> {
    if (signal?.aborted) return;
    const arrived: unknown[] = [];
    let last: ToRenderer | undefined;
    let wake = () => {};
    const id = this.#listen((message) => {
      if (message.type === 'item') arrived.push(message.value);
      else last = message;
      wake();
    });
    const onAbort = () => wake();
    signal?.addEventListener('abort', onAbort);
    this.#post({ type: 'stream', id, channel, value });
    let takenBytes = 0;
    try {
      while (!signal?.aborted) {
        if (arrived.length > 0) {
          const item = arrived.shift();
          takenBytes += costOf(item);
          if (takenBytes >= creditPortionBytes) {
            this.#post({ type: 'credit', id, value: takenBytes });
            takenBytes = 0;
          }
          yield item;
        } else if (last === undefined) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else {
          if (last.type === 'failure') throw new BridgeFailure(last.value);
          return;
        }
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#listeners.delete(id);
      if (last === undefined) this.#post({ type: 'close', id });
    }
  }

  /** `onEnd` runs once: with nothing when the host ended it, with the failure otherwise. */
  duplex(
    channel: string,
    value: unknown,
    onMessage: (message: unknown) => void,
    onEnd: (error?: BridgeError) => void,
  ): Promise<{ send(message: unknown): void; close(): void }> {
    return new Promise((resolve, reject) => {
      let opened = false;
      const id = this.#listen((message) => {
        if (message.type === 'item') onMessage(message.value);
        else if (message.type === 'opened') {
          opened = true;
          resolve({
            send: (sent) => this.#post({ type: 'send', id, value: sent }),
            close: () => {
              this.#listeners.delete(id);
              this.#post({ type: 'close', id });
            },
          });
        } else {
          this.#listeners.delete(id);
          const error = message.type === 'failure' ? message.value : undefined;
          if (opened) onEnd(error);
          else
            reject(new BridgeFailure(error ?? { name: 'Closed', message: 'It closed at once.' }));
        }
      });
      this.#post({ type: 'duplex', id, channel, value });
    });
  }

  #listen(listener: Listener): number {
    if (this.#closed) throw new BridgeFailure(disconnected);
    const id = this.#nextId++;
    this.#listeners.set(id, listener);
    return id;
  }

  #post(message: ToHost): void {
    if (!this.#closed) this.#port.post(message);
  }
}
