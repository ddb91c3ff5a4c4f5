/**
 * How the page gets its message port in Electron. A port cannot pass through contextBridge, so the
 * page asks with a window message and the preload script answers with one that carries the port.
 * Only messages of the window to itself count.
 */

/** The name under which the main process receives the other end. */
export const bridgeIpcChannel = 'corten:bridge';

/** What the preload script exposes, so that the page knows its shell. */
export const shellMarker = 'cortenShell';

const question = 'corten:bridge?';
const answer = 'corten:bridge!';

/** The part of `window` that this needs. */
export interface HandshakeWindow<Port> {
  addEventListener(type: 'message', listener: (event: HandshakeEvent<Port>) => void): void;
  removeEventListener(type: 'message', listener: (event: HandshakeEvent<Port>) => void): void;
  postMessage(message: string, targetOrigin: string, transfer?: Port[]): void;
}

export interface HandshakeEvent<Port> {
  data: unknown;
  source: unknown;
  ports: readonly Port[];
}

/** In the preload script: gives `port` to the first who asks, which is the page's own script. */
export function offerPort<Port>(page: HandshakeWindow<Port>, origin: string, port: Port): void {
  const listener = (event: HandshakeEvent<Port>) => {
    if (event.source !== page || event.data !== question) return;
    page.removeEventListener('message', listener);
    page.postMessage(answer, origin, [port]);
  };
  page.addEventListener('message', listener);
}

/** In the page. */
export function askForPort<Port>(page: HandshakeWindow<Port>, origin: string): Promise<Port> {
  return new Promise((resolve) => {
    const listener = (event: HandshakeEvent<Port>) => {
      const [port] = event.ports;
      if (event.source !== page || event.data !== answer || port === undefined) return;
      page.removeEventListener('message', listener);
      resolve(port);
    };
    page.addEventListener('message', listener);
    page.postMessage(question, origin);
  });
}
