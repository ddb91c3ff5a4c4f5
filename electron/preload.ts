/** Runs before the page, sandboxed: makes the channel, gives one end to each side, and is done. */
import { contextBridge, ipcRenderer } from 'electron';
import {
  bridgeIpcChannel,
  type HandshakeWindow,
  offerPort,
  shellMarker,
} from './contract/handshake.ts';

const page = globalThis as unknown as HandshakeWindow<MessagePort> & {
  location: { origin: string };
};
const { port1, port2 } = new MessageChannel();
// Typed for the DOM there and for node here; it is the same object.
ipcRenderer.postMessage(bridgeIpcChannel, null, [port2 as never]);
offerPort(page, page.location.origin, port1 as MessagePort);
contextBridge.exposeInMainWorld(shellMarker, 'electron');
