/**
 * Joins a socket of this computer and an SSH channel. Each direction ends by itself and is no faster
 * than its reader, and a broken channel resets the socket.
 */
import type { Socket } from 'node:net';
import type { ClientChannel } from 'ssh2';

/** The socket must have been made with `allowHalfOpen` and not have been read from. */
export function splice(socket: Socket, channel: ClientChannel): void {
  const wasSaid = watchEnd(channel);
  socket.pipe(channel);
  channel.pipe(socket, { end: false });
  channel.once('end', () => {
    if (wasSaid()) socket.end();
  });
  channel.once('close', () => {
    // Received data is still delivered, but a broken connection must not look like an orderly end.
    if (wasSaid()) socket.destroySoon();
    else reset(socket);
  });
  // After an error each of them emits `close`, which is handled above.
  channel.on('error', () => undefined);
  socket.on('error', () => undefined);
  socket.once('close', () => {
    channel.close();
    // A channel without a reader never ends, and its close waits for the end.
    channel.resume();
  });
}

/** A TCP client sees a broken connection by RST; a unix socket has no reset, only an end. */
export function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

/**
 * Whether the other side sent SSH_MSG_CHANNEL_EOF (RFC 4254, 5.3). ssh2 also ends the stream when the
 * channel is closed without it or the connection breaks, but with another value in its state.
 */
function watchEnd(channel: ClientChannel): () => boolean {
  const { incoming } = channel as unknown as { incoming: { state: string } };
  const push = channel.push.bind(channel);
  let said = incoming.state === 'eof';
  channel.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk === null) said ||= incoming.state === 'eof';
    return push(chunk, encoding);
  };
  return () => said;
}
