/**
 * The raw connection of attach and exec start: output one way, stdin the other. Either side may end first: the end of
 * stdin is passed on while output continues, and a client that goes away only detaches.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex, Writable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Attachment } from './containers/backend.ts';
import { DetachWatcher } from './detach-keys.ts';
import { frame, multiplexedStream, rawStream } from './frames.ts';
import { upgradeStream } from './upgrade.ts';
import { speaks } from './version.ts';

export interface Conversation {
  /** Whether output is framed; false with a terminal and on WebSockets. */
  framed: boolean;
  detachKeys: Buffer | undefined;
}

/** Interval of checks for a client that has gone. */
const probeMs = 2000;

/** Time that a client may take to close its half after the output has ended. */
const lingerMs = 10_000;

/** Answers with status 101 (200 without an upgrade) and returns the connection, which is not HTTP any more. */
export function hijack(request: FastifyRequest, reply: FastifyReply, terminal: boolean): Duplex {
  const socket = bareSocket(request, reply);
  const upgraded = upgradeStream(request.raw) !== undefined;
  const framed = !terminal && upgraded && speaks(request, '1.42');
  const contentType = `Content-Type: ${framed ? multiplexedStream : rawStream}`;
  const head = upgraded
    ? ['HTTP/1.1 101 UPGRADED', contentType, 'Connection: Upgrade', 'Upgrade: tcp']
    : ['HTTP/1.1 200 OK', contentType, 'Connection: close'];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return socket;
}

/** Detaches the socket from the HTTP server. */
export function bareSocket(request: FastifyRequest, reply: FastifyReply): Duplex {
  const { socket } = request.raw;
  reply.hijack();
  reply.raw.removeAllListeners('finish');
  reply.raw.detachSocket(socket);
  socket.setTimeout(0);
  const stream = upgradeStream(request.raw);
  if (stream !== undefined) {
    detectClosedPeer(socket);
    return stream;
  }
  // Without an upgrade Node's parser still listens and would parse stdin as a second request.
  for (const event of ['data', 'end', 'drain', 'timeout', 'error'])
    socket.removeAllListeners(event);
  socket.on('error', () => socket.destroy());
  detectClosedPeer(socket);
  return socket;
}

/**
 * Detects a client that has gone. A client that has only closed its half still reads, and both look the same until
 * something is written, which under a silent process may be never. An empty write carries no data, but fails with
 * EPIPE when the peer is closed (unix(7)), which then closes this side as well.
 */
function detectClosedPeer(socket: Socket): void {
  socket.once('end', () => {
    const probe = setInterval(() => socket.writable && socket.write(''), probeMs).unref();
    socket.once('close', () => clearInterval(probe));
  });
}

/** Copies output and stdin until the output ends or the client goes away. */
export async function converse(
  socket: Duplex,
  attachment: Attachment,
  { framed, detachKeys }: Conversation,
): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  gone.signal.addEventListener('abort', () => attachment.close());
  if (socket.destroyed) gone.abort();
  feedStdin(socket, attachment.stdin, detachKeys, () => {
    attachment.close();
    finish(socket);
  });
  try {
    for await (const chunk of attachment.output) {
      if (gone.signal.aborted || socket.writableEnded) return;
      if (!socket.write(framed ? frame(chunk) : chunk.data))
        await once(socket, 'drain', { signal: gone.signal });
    }
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    attachment.close();
    finish(socket);
  }
}

/**
 * Ends this half and waits for the client's: closing a unix socket with unread bytes makes the client's next read
 * fail with ECONNRESET (unix(7)), even before it has read all output.
 */
export function finish(socket: Duplex): void {
  if (socket.writableEnded || socket.destroyed) return;
  socket.end();
  socket.resume();
  const linger = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once('close', () => clearTimeout(linger));
}

function feedStdin(
  socket: Duplex,
  stdin: Writable | undefined,
  detachKeys: Buffer | undefined,
  detach: () => void,
): void {
  const watcher = detachKeys === undefined ? undefined : new DetachWatcher(detachKeys);
  let open = stdin !== undefined;
  const stop = () => {
    open = false;
    socket.resume();
  };
  stdin?.on('drain', () => socket.resume());
  // The process has closed its stdin; further input is dropped while output continues.
  stdin?.on('error', stop).on('close', stop);
  socket.on('data', (data: Buffer) => {
    if (!open || stdin === undefined) return;
    const typed = watcher?.push(data) ?? { data, detached: false };
    if (typed.data.length > 0 && !stdin.write(typed.data)) socket.pause();
    if (typed.detached) {
      stop();
      detach();
    }
  });
  socket.on('end', () => {
    if (open) stdin?.end();
  });
}
