/**
 * How the bridge's channels share one connection: every request, stream and duplex has an id, and
 * these messages speak about it. Both the WebSocket and Electron's message ports carry them as the
 * frames of codec.ts: a message port would clone the whole buffer that a piece of bytes is cut from.
 */
import type { BridgeError } from './bridge.ts';

/** `credit` gives bytes back to a stream's window; `close` ends what the id stands for. */
export type ToHost =
  | { type: 'request' | 'stream' | 'duplex'; id: number; channel: string; value: unknown }
  | { type: 'send'; id: number; value: unknown }
  | { type: 'credit'; id: number; value: number }
  | { type: 'close'; id: number };

/** `opened` answers a duplex; `end` and `failure` are the last word about an id. */
export type ToRenderer =
  | { type: 'result' | 'item'; id: number; value: unknown }
  | { type: 'opened' | 'end'; id: number }
  | { type: 'failure'; id: number; value: BridgeError };

export type WireMessage = ToHost | ToRenderer;

/** One connection, whatever carries it. Messages come in order, each once, until it closes. */
export interface WirePort<Out extends WireMessage, In extends WireMessage> {
  post(message: Out): void;
  onMessage(listener: (message: In) => void): void;
  onClose(listener: () => void): void;
  close(): void;
}

/** A stream may be this far ahead of its consumer. */
export const streamWindowBytes = 512 * 1024;

/** What an item takes from the window: its bytes, and a share for what is not bytes. */
export function costOf(value: unknown): number {
  const { bytes } = splitBytes(value);
  return (bytes?.length ?? 0) + 256;
}

/**
 * The contract's values are flat objects with at most one field of bytes (`body`, `data`); this
 * finds it.
 */
export function splitBytes(value: unknown): { field?: string; bytes?: Uint8Array } {
  if (typeof value !== 'object' || value === null) return {};
  for (const [field, content] of Object.entries(value))
    if (content instanceof Uint8Array) return { field, bytes: content };
  return {};
}

/** The failure that ends everything that was open when the connection broke: open it again. */
export const disconnected: BridgeError = {
  name: 'Disconnected',
  message: 'The connection to the app was lost. It is being made again.',
};
