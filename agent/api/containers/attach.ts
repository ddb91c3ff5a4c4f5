/** attach, over a hijacked connection or a WebSocket. */
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

/** Bytes both ways in binary messages; stdout and stderr are not told apart (as dockerd has it). */
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
  // A handshake that ws refuses ends the socket without calling back.
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
  // Read before anything is attached, so that bad keys are an ordinary 400.
  detachKeysOf(request, true);
  return containers.attach(pathPart(request, 'id'), options);
}

/** Only a terminal has keys to watch for; without one every byte is data. */
function detachKeysOf(request: FastifyRequest, terminal: boolean): Buffer | undefined {
  if (!terminal) return undefined;
  return parseDetachKeys(new Query(request).text('detachKeys') ?? defaultDetachKeys);
}
