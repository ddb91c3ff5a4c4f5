/** One WebSocket as a wire port. A frame that no bridge of ours makes ends it. */
import type { RawData, WebSocket } from 'ws';
import { decode, encode, FrameError } from '../contract/codec.ts';
import type { WireMessage, WirePort } from '../contract/wire.ts';

/** "Protocol error" (RFC 6455 §7.4.1). */
const protocolError = 1002;

/** `Sent` and `Received` are the messages of this end: the host's, or those of the `corten` command. */
export function portOf<Sent extends WireMessage, Received extends WireMessage>(
  socket: WebSocket,
): WirePort<Sent, Received> {
  return {
    post: (message) => socket.send(encode(message)),
    onMessage(listener) {
      socket.on('message', (data: RawData, isBinary: boolean) => {
        const message = isBinary ? decoded<Received>(data as Buffer) : undefined;
        if (message === undefined) socket.close(protocolError);
        else listener(message);
      });
    },
    onClose: (listener) => socket.on('close', listener),
    close: () => socket.close(),
  };
}

function decoded<Received extends WireMessage>(frame: Buffer): Received | undefined {
  try {
    return decode(frame) as Received;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
