/** The only raw ipc: takes each page's message port and serves the host's channels on it. */
import type { IpcMain, IpcMainEvent, MessagePortMain } from 'electron';
import { decode, encode, FrameError } from '../contract/codec.ts';
import { bridgeIpcChannel } from '../contract/handshake.ts';
import type { HostChannels } from '../contract/host-channels.ts';
import { serveChannels } from '../contract/serve.ts';
import type { ToHost, ToRenderer, WirePort } from '../contract/wire.ts';
import { pageOrigin } from './page.ts';

export function serveBridge(ipc: Pick<IpcMain, 'on'>, host: HostChannels): void {
  ipc.on(bridgeIpcChannel, (event) => {
    const [port] = event.ports;
    // Nothing but our own page is ever loaded; should that fail, it gets no bridge.
    if (port === undefined || !isOwnPage(event)) return;
    serveChannels(portOf(port), host);
    port.start();
  });
}

function isOwnPage({ senderFrame }: IpcMainEvent): boolean {
  return senderFrame !== null && senderFrame.origin === pageOrigin && senderFrame.parent === null;
}

function portOf(port: MessagePortMain): WirePort<ToRenderer, ToHost> {
  return {
    post: (message) => port.postMessage(encode(message)),
    onMessage: (listener) =>
      port.on('message', ({ data }) => {
        const message = decoded(data);
        if (message === undefined) port.close();
        else listener(message);
      }),
    onClose: (listener) => port.on('close', listener),
    close: () => port.close(),
  };
}

/** Undefined for what no bridge of ours sends. */
function decoded(data: unknown): ToHost | undefined {
  try {
    return data instanceof Uint8Array ? (decode(data) as ToHost) : undefined;
  } catch (error) {
    if (error instanceof FrameError) return undefined;
    throw error;
  }
}
