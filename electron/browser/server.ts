/** The browser shell's server: the renderer's files and one WebSocket, on loopback, behind the request guard. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { HostChannels } from '../contract/host-channels.ts';
import { securityHeaders } from '../contract/page-headers.ts';
import { serveChannels } from '../contract/serve.ts';
import type { ToHost, ToRenderer } from '../contract/wire.ts';
import type { RendererFiles } from '../host/renderer-files.ts';
import { linkPage, linkPagePolicy, wantsPage } from './link-page.ts';
import { RequestGuard, type Verdict } from './request-guard.ts';
import { portOf } from './socket-port.ts';

export const bridgePath = '/bridge';

/** The largest request that a page may send at once; archives are streamed by other ways. */
const longestFrameBytes = 64 * 1024 * 1024;
/** A page that sleeps or has gone without a word. */
const heartbeatMs = 15_000;

export interface BrowserShell {
  /** A link with a token that admits one browser, once. */
  address: string;
  /** A new link, such as for a second browser. The link before becomes invalid. */
  freshAddress(): string;
  port: number;
  close(): Promise<void>;
}

/** `port` 0 takes any free one. */
export async function serveBrowserShell(options: {
  port: number;
  files: RendererFiles;
  host: HostChannels;
}): Promise<BrowserShell> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? portTaken(options.port) : error),
    );
    server.listen(options.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const guard = new RequestGuard(port);
  const headers = securityHeaders(`'self' ws://127.0.0.1:${port} ws://localhost:${port}`);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: longestFrameBytes });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const verdict = guard.judge(request);
    if (!verdict.allow) {
      refuse(request, response, verdict);
      return;
    }
    const file = options.files.read(pathOf(request));
    if (request.method !== 'GET' && request.method !== 'HEAD') say(response, 405, 'Only GET.');
    else if (file === undefined) say(response, 404, 'There is no such page.');
    else {
      response.writeHead(200, {
        ...headers,
        'content-type': file.type,
        'content-length': file.bytes.length,
        'cache-control': file.immutable ? 'private, max-age=31536000, immutable' : 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : file.bytes);
    }
  }

  function refuse(
    request: IncomingMessage,
    response: ServerResponse,
    verdict: Exclude<Verdict, { allow: true }>,
  ): void {
    if ('enter' in verdict) {
      response.writeHead(303, {
        ...headers,
        location: '/',
        'set-cookie': verdict.enter,
        'cache-control': 'no-store',
      });
      response.end();
    } else if ('needsLink' in verdict && wantsPage(request.method, request.headers)) {
      response.writeHead(verdict.status, {
        ...headers,
        'content-security-policy': linkPagePolicy,
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
      });
      response.end(request.method === 'HEAD' ? undefined : linkPage);
    } else say(response, verdict.status, verdict.reason);
  }

  function say(response: ServerResponse, status: number, text: string): void {
    response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' });
    response.end(`${text}\n`);
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A browser that goes away in the middle is no failure of ours.
    socket.on('error', () => {});
    if (pathOf(request) !== bridgePath || !guard.judgeWebSocket(request).allow)
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else
      sockets.handleUpgrade(request, socket, head, (opened) => {
        // A frame over the limit or a broken one: ws closes, and the port hears of that.
        opened.on('error', () => {});
        serveChannels(portOf<ToRenderer, ToHost>(opened), options.host);
      });
  });

  const heartbeat = setInterval(() => checkPulse(sockets), heartbeatMs);
  heartbeat.unref();

  return {
    address: guard.address,
    freshAddress: () => guard.freshAddress(),
    port,
    async close() {
      clearInterval(heartbeat);
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function portTaken(port: number): Error {
  return new Error(
    `Port ${port} of 127.0.0.1 is taken. Choose another with --port, or leave it out for a free one.`,
  );
}

/** Empty for what is no address at all, which a hostile client may send. */
function pathOf(request: IncomingMessage): string {
  return URL.parse(request.url ?? '/', 'http://127.0.0.1')?.pathname ?? '';
}

const silent = new WeakSet<object>();

/** Whoever did not answer the last ping by the next one is gone, and what it had open ends. */
function checkPulse(sockets: WebSocketServer): void {
  for (const socket of sockets.clients) {
    if (silent.has(socket)) socket.terminate();
    else {
      silent.add(socket);
      socket.once('pong', () => silent.delete(socket));
      socket.ping();
    }
  }
}
