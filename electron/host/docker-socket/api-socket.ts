/**
 * Serves the machine's engine on this computer, at `docker.sock` or a named pipe of Windows. Each
 * connection, also a hijacked one (attach, exec), is one SSH channel to the agent's API.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { ClientChannel } from 'ssh2';
import { splice } from '../ssh/splice.ts';
import { listenAtPath, SocketTaken } from './socket-file.ts';

const pipePrefix = '\\\\.\\pipe\\';

export interface ApiSocket {
  readonly path: string;
  /** Stops listening and ends the connections that are open. */
  close(): Promise<void>;
}

export interface ApiSocketOptions {
  /** The path of a unix socket (its mode is 0600), or `\\.\pipe\NAME`. */
  path: string;
  openChannel(): Promise<ClientChannel>;
}

/** Throws SocketTaken when another program has the path. */
export async function serveApiSocket({ path, openChannel }: ApiSocketOptions): Promise<ApiSocket> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    openChannel().then(
      (channel) => (socket.destroyed ? channel.close() : splice(socket, channel)),
      (error: Error) => refuse(socket, error),
    );
  });
  const giveBack = path.startsWith(pipePrefix)
    ? await listenOnPipe(server, path)
    : await listenAtPath(server, path);
  // A failed accept(2), such as for lack of descriptors, must not end the other connections.
  server.removeAllListeners('error').on('error', () => undefined);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        giveBack();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** A pipe ends with the process that made it, so nothing stale can be there, and nothing is to be removed. */
async function listenOnPipe(server: Server, path: string): Promise<() => void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new SocketTaken(
      `Another program has the pipe ${path}. Stop it (it may be a second Corten), or choose another name.`,
      { cause: error },
    );
  }
  return () => undefined;
}

/** The client speaks HTTP, so the cause is sent as an HTTP response. */
function refuse(socket: Socket, error: Error): void {
  const body = JSON.stringify({ message: `Corten's machine does not answer: ${error.message}` });
  socket.resume();
  socket.end(
    'HTTP/1.1 503 Service Unavailable\r\n' +
      'Content-Type: application/json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n` +
      `Connection: close\r\n\r\n${body}`,
  );
}
