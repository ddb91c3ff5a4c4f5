/** Handlers of attach, over a hijacked connection or a WebSocket. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { invalid } from '../../errors.ts';
import { defaultDetachKeys, parseDetachKeys } from '../detach-keys.ts';
import { bareSocket, converse, hijack } from '../hijack.ts';
import { pathPart, Query } from '../query.ts';
import { upgradeStream } from '../upgrade.ts';
import type { Attachment, AttachOptions, ContainersBackend } from './backend.ts';

export async function attach(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const attachment = await openAttachment(containers, request);
  const socket = hijack(request, reply, attachment.terminal);
  await converse(socket, attachment, {
    framed: !attachment.terminal,
    detachKeys: detachKeysOf(request, attachment.terminal),
  });
}

const webSockets = new WebSocketServer({ noServer: true, clientTracking: false });

/** Sends bytes both ways in binary messages; stdout and stderr are merged, as in dockerd. */
export async function attachWebSocket(
  containers: ContainersBackend,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (upgradeStream(request.raw) === undefined)
    throw invalid('this endpoint needs a WebSocket upgrade');
  const attachment = await openAttachment(containers, request);
  const socket = bareSocket(request, reply);
  webSockets.handleUpgrade(request.raw, socket, Buffer.alloc(0), (webSocket) => {
    const stream = createWebSocketStream(webSocket, { allowHalfOpen: true });
    stream.on('error', () => stream.destroy());
    void converse(stream, attachment, {
      framed: false,
      detachKeys: detachKeysOf(request, attachment.terminal),
    }).catch(() => stream.destroy());
  });
  // When ws refuses a handshake, it closes the socket without a callback.
  socket.once('close', () => attachment.close());
}

async function openAttachment(
  containers: ContainersBackend,
  request: FastifyRequest,
): Promise<Attachment> {
  const query = new Query(request);
  const options: AttachOptions = {
    stdin: query.flag('stdin'),
    stdout: query.flag('stdout'),
    stderr: query.flag('stderr'),
    logs: query.flag('logs'),
    stream: query.flag('stream'),
  };
  // The keys are checked before the attach, so that invalid ones give an ordinary status 400.
  detachKeysOf(request, true);
  return containers.attach(pathPart(request, 'id'), options);
}

/** Detach keys exist only with a terminal; without one every byte is data. */
function detachKeysOf(request: FastifyRequest, terminal: boolean): Buffer | undefined {
  if (!terminal) return undefined;
  return parseDetachKeys(new Query(request).text('detachKeys') ?? defaultDetachKeys);
}
