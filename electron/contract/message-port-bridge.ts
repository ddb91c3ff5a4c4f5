/** The bridge over Electron's message port. It lives as long as the page does. */
import type { Bridge } from './bridge.ts';
import { decode, encode } from './codec.ts';
import type { ToHost, ToRenderer, WirePort } from './wire.ts';
import { WireClient } from './wire-client.ts';

/** The part of a page's MessagePort that this needs. */
export interface PagePort {
  postMessage(frame: Uint8Array): void;
  addEventListener(type: 'message' | 'close', listener: (event: { data?: unknown }) => void): void;
  start(): void;
  close(): void;
}

export function createMessagePortBridge(port: Promise<PagePort>): Bridge {
  const client = port.then((opened) => {
    const wire = new WireClient(portOf(opened));
    opened.start();
    return wire;
  });
  return {
    request: (async (channel: string, value?: unknown) =>
      (await client).request(channel, value)) as Bridge['request'],
    async *stream(channel, request, signal) {
      // The wire carries what the host's own types say; bridge.ts is the word for both ends.
      yield* (await client).stream(channel, request, signal) as AsyncIterable<never>;
    },
    duplex: (async (channel, request, onMessage, onEnd = () => {}) =>
      (await client).duplex(
        channel,
        request,
        onMessage as (message: unknown) => void,
        onEnd,
      )) as Bridge['duplex'],
    onConnection(listener) {
      let watching = true;
      const tell = (connected: boolean) => {
        if (watching) listener(connected);
      };
      listener(false);
      void port.then((opened) => {
        tell(true);
        opened.addEventListener('close', () => tell(false));
      });
      return () => {
        watching = false;
      };
    },
  };
}

function portOf(port: PagePort): WirePort<ToHost, ToRenderer> {
  return {
    post: (message) => port.postMessage(encode(message)),
    onMessage: (listener) =>
      port.addEventListener('message', ({ data }) =>
        listener(decode(data as Uint8Array) as ToRenderer),
      ),
    // Electron's addition to the web's MessagePort: the other end is gone.
    onClose: (listener) => port.addEventListener('close', listener),
    close: () => port.close(),
  };
}
