/**
 * POST with `Upgrade: tcp`, as attach and exec start use it. After such a request's headers Node
 * stops parsing and gives us the bare socket: the JSON body is still to come, in `head` and in what
 * arrives later. Here the body is read, and the request is replayed through the ordinary routes, so
 * that versions, errors and handlers are the same with and without an upgrade.
 */
import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { maxJsonBytes } from './json-body.ts';
import { withoutVersion } from './version.ts';

const hijackedPaths = /^\/(containers\/[^/]+\/attach(\/ws)?|exec\/[^/]+\/start)(\?|$)/;

/** Only these are taken off HTTP; an upgrade that is offered elsewhere (h2c) is declined by ignoring it. */
export function isHijackRequest(request: IncomingMessage): boolean {
  return hijackedPaths.test(withoutVersion(request.url ?? ''));
}

const replayed = new WeakSet<IncomingMessage>();

/** Whether the request came with an upgrade, so that its socket has left HTTP already. */
export function isUpgraded(request: IncomingMessage): boolean {
  return replayed.has(request);
}

type Route = (request: IncomingMessage, response: ServerResponse) => void;

export async function replayUpgrade(
  original: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  route: Route,
): Promise<void> {
  // Without a listener an 'error' here (the peer went away) would end the whole agent.
  socket.on('error', () => socket.destroy());
  if (head.length > 0) socket.unshift(head);
  const body = await readBody(original, socket);
  const request = new ReplayedRequest(original, socket as Socket, body);
  const response = new ServerResponse(request);
  response.assignSocket(socket as Socket);
  // An error reply ends the connection: nobody parses a second request on this socket.
  response.shouldKeepAlive = false;
  response.once('finish', () => socket.end());
  replayed.add(request);
  route(request, response);
}

class ReplayedRequest extends IncomingMessage {
  constructor(original: IncomingMessage, socket: Socket, body: Buffer) {
    super(socket);
    this.method = original.method;
    this.url = original.url;
    this.headers = original.headers;
    this.rawHeaders = original.rawHeaders;
    this.httpVersion = original.httpVersion;
    this.httpVersionMajor = original.httpVersionMajor;
    this.httpVersionMinor = original.httpVersionMinor;
    this.complete = true;
    this.push(body);
    this.push(null);
  }

  /** The body is here already; the inherited _read would set the socket flowing and lose stdin. */
  override _read(): void {}
}

async function readBody(request: IncomingMessage, socket: Duplex): Promise<Buffer> {
  if (/\bchunked\b/i.test(request.headers['transfer-encoding'] ?? '')) return readChunked(socket);
  return readExactly(socket, Number(request.headers['content-length'] ?? 0));
}

/** RFC 9112 7.1: size line, data, empty line; after the zero chunk come trailers and an empty line. */
async function readChunked(socket: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const size = Number.parseInt(await readLine(socket), 16);
    if (Number.isNaN(size)) throw new Error('a chunk of the request body has no size');
    if (size === 0) break;
    total += size;
    if (total > maxJsonBytes) throw new Error('the request body is too large');
    chunks.push(await readExactly(socket, size));
    await readLine(socket);
  }
  while ((await readLine(socket)) !== '') {}
  return Buffer.concat(chunks);
}

async function readLine(socket: Duplex): Promise<string> {
  let line = '';
  while (!line.endsWith('\n')) {
    if (line.length > 1024) throw new Error('a line of the request body is too long');
    line += (await readExactly(socket, 1)).toString('latin1');
  }
  return line.trim();
}

async function readExactly(socket: Duplex, bytes: number): Promise<Buffer> {
  if (!(bytes <= maxJsonBytes)) throw new Error('the request body is too large');
  if (bytes === 0) return Buffer.alloc(0);
  for (;;) {
    const data: Buffer | null = socket.read(bytes);
    if (data !== null && data.length === bytes) return data;
    // At the end of the stream read() gives what is left, which is then too little.
    if (data !== null || socket.readableEnded || socket.destroyed)
      throw new Error('the connection ended inside the request body');
    await readableOrOver(socket);
  }
}

async function readableOrOver(socket: Duplex): Promise<void> {
  const settled = new AbortController();
  try {
    await Promise.race(
      ['readable', 'end', 'close'].map((event) => once(socket, event, { signal: settled.signal })),
    );
  } finally {
    settled.abort();
  }
}
