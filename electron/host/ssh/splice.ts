/**
 * A socket of this computer and an SSH channel as one line: both directions with an end of their
 * own, each no faster than its reader, and a break that shows as a break.
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
    // What has arrived is still delivered; but a line that broke must not look like one that ended.
    if (wasSaid()) socket.destroySoon();
    else reset(socket);
  });
  // Each one's `close` follows, and says all there is to say.
  channel.on('error', () => undefined);
  socket.on('error', () => undefined);
  socket.once('close', () => {
    channel.close();
    // Without a reader a channel never ends, and its close waits for that.
    channel.resume();
  });
}

/** A TCP client learns of a broken line by RST; a unix socket knows only the end. */
export function reset(socket: Socket): void {
  if (socket.remoteAddress === undefined) socket.destroy();
  else socket.resetAndDestroy();
}

/**
 * Whether the other side said that it has no more to send. ssh2 ends a channel in the same way when
 * it is closed without that word or the connection breaks; but when it does, its state is another.
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
