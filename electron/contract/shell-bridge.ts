/** The bridge of whichever shell shows this page. The renderer's main.tsx calls this once. */
import type { Bridge } from './bridge.ts';
import { askForPort, type HandshakeWindow, shellMarker } from './handshake.ts';
import { createMessagePortBridge, type PagePort } from './message-port-bridge.ts';
import { createWebSocketBridge } from './web-socket-bridge.ts';

export function createShellBridge(): Bridge {
  const page = globalThis as unknown as HandshakeWindow<PagePort> & {
    location: { origin: string; host: string };
    [shellMarker]?: string;
  };
  return page[shellMarker] === 'electron'
    ? createMessagePortBridge(askForPort(page, page.location.origin))
    : createWebSocketBridge(`ws://${page.location.host}/bridge`);
}
