/** One WebSocket as a wire port. A frame that no bridge of ours makes ends it. */
import type { RawData, WebSocket } from 'ws';
import { decode, encode, FrameError } from '../contract/codec.ts';
import type { ToHost, ToRenderer, WirePort } from '../contract/wire.ts';

/** "Protocol error" (RFC 6455 §7.4.1). */
const protocolError = 1002;

export function portOf(socket: WebSocket): WirePort<ToRenderer, ToHost> {
  return {
    post: (message) => socket.send(encode(message)),
    onMessage(listener) {
      socket.on('message', (data: RawData, isBinary: boolean) => {
        const message = isBinary ? decoded(data as Buffer) : undefined;
        if (message === undefined) socket.close(protocolError);
        else listener(message);
      });
    },
    onClose: (listener) => socket.on('close', listener),
    close: () => socket.close(),
  };
}

function decoded(frame: Buffer): ToHost | undefined {
  try {
    return decode(frame) as ToHost;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
