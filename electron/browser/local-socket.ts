/** Serves the app's local socket (electron/contract/local-socket.ts): the same bridge as the page's, and links. */
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { WebSocketServer } from 'ws';
import type { HostChannels } from '../contract/host-channels.ts';
import { type AppFacts, type AppLink, appPath, linkPath } from '../contract/local-socket.ts';
import { serveChannels } from '../contract/serve.ts';
import type { ToHost, ToRenderer } from '../contract/wire.ts';
import { listenAtPath } from '../host/docker-socket/socket-file.ts';
import { bridgePath } from './server.ts';
import { portOf } from './socket-port.ts';

export interface LocalSocketOptions {
  path: string;
  host: HostChannels;
  facts: AppFacts;
  /** Returns an address for a browser, or shows the app's own window and returns nothing. */
  open(): string | undefined;
}

/** Rejects with SocketTaken while another app answers at the path. */
export async function serveLocalSocket(
  options: LocalSocketOptions,
): Promise<{ close(): Promise<void> }> {
  const { path, host, facts, open } = options;
  const server = createServer((request, response) => {
    if (request.method === 'GET' && request.url === appPath) answer(response, 200, facts);
    else if (request.method === 'POST' && request.url === linkPath)
      answer(response, 200, { address: open() } satisfies AppLink);
    else answer(response, 404, { message: `There is no ${request.method} ${request.url}.` });
  });
  const webSockets = new WebSocketServer({ noServer: true });
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // A client that goes away in the middle is no failure of the app.
    socket.on('error', () => {});
    if (request.url !== bridgePath)
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else
      webSockets.handleUpgrade(request, socket, head, (opened) => {
        // ws closes the connection after a broken frame, and the port hears of the close.
        opened.on('error', () => {});
        serveChannels(portOf<ToRenderer, ToHost>(opened), host);
      });
  });
  // Containers' users pass through the run directory, as agent-process.ts makes it.
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const giveBack = await listenAtPath(server, path);
  return {
    async close() {
      giveBack();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function answer(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(document)}\n`);
}
