/**
 * The agent's SSH server. The login name selects the target: `api` may reach the engine's socket, published ports and
 * containers; any other name is a container, in which it gets a shell.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket, type Server as SocketServer } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Algorithms, type Connection } from 'ssh2';
import { authenticate } from './authentication.ts';
import type { SshBackend } from './backend.ts';
import { DevicePort } from './device-port.ts';
import { type AgentSockets, type ChannelServices, serveForwarding } from './forward.ts';
import { readPrivateKey } from './keys.ts';
import { serveShells } from './shell-session.ts';

/** The login of the app itself. */
export const apiLogin = 'api';

export interface SshServerOptions {
  hostKeyPath: string;
  authorizedKeysPath: string;
  apiSocketPath: string;
  backend: SshBackend;
  sockets?: AgentSockets;
  services?: ChannelServices;
  /** Time that a connection may take to authenticate, like sshd's LoginGraceTime. */
  loginGraceMs?: number;
  /** Number of connections that have not authenticated yet, like sshd's MaxStartups. */
  maxStartups?: number;
}

export interface SshServer {
  /** Listens on a unix socket (mode 0600) or a TCP address. Resolves with the address. */
  listen(place: { path: string } | { host: string; port: number }): Promise<string>;
  /** Listens on another kind of endpoint, which `start` opens. */
  listenOn(start: (listener: SocketServer) => void): void;
  /**
   * Serves one session at a time on a device. `open` opens it and returns `undefined` while no client has the other
   * end open.
   */
  serveDevice(open: () => Duplex | undefined, report: (error: unknown) => void): void;
  /** Stops listening and closes all connections. */
  close(): Promise<void>;
}

/**
 * GCM comes first, because Node's AES-GCM is several times as fast as ssh2's other ciphers. Compression is off: it
 * costs more than it saves on a local connection, and `zlib` would decompress untrusted bytes.
 */
const algorithms: Algorithms = {
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes256-ctr'],
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256'],
  hmac: ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'],
  compress: ['none'],
};

export function createSshServer(options: SshServerOptions): SshServer {
  const hostKey = readPrivateKey(options.hostKeyPath);
  const listeners: SocketServer[] = [];
  const ports: DevicePort[] = [];
  const sockets = new Set<Duplex>();
  const strangers = new Set<Duplex>();
  const { loginGraceMs = 60_000, maxStartups = 32 } = options;

  function serveSession(socket: Duplex): void {
    // A vanished peer causes an error and then `close`, which needs no further handling.
    socket.on('error', () => {});
    if (strangers.size >= maxStartups) {
      socket.destroy();
      return;
    }
    // Each channel listens for the end of its socket, and there may be many channels.
    socket.setMaxListeners(0);
    sockets.add(socket);
    strangers.add(socket);
    const grace = setTimeout(() => socket.destroy(), loginGraceMs);
    const known = () => {
      clearTimeout(grace);
      strangers.delete(socket);
    };
    socket.once('close', () => {
      known();
      sockets.delete(socket);
    });
    // Each socket gets an ssh2 server of its own, so that a channel knows the socket whose buffer it fills.
    new ssh2.Server({ hostKeys: [hostKey], algorithms, ident: 'corten' }, (connection) =>
      serve(connection, socket, options, known),
    )
      // ssh2 uses only what every duplex stream has.
      .injectSocket(socket as Socket);
  }

  return {
    async listen(place) {
      const listener = createServer({ noDelay: true }, serveSession);
      if ('path' in place) rmSync(place.path, { force: true });
      await new Promise<void>((resolve, reject) => {
        listener.once('error', reject);
        listener.listen(place, resolve);
      });
      listeners.push(listener);
      if ('path' in place) chmodSync(place.path, 0o600);
      return addressOf(listener);
    },
    listenOn(start) {
      const listener = createServer({ noDelay: true }, serveSession);
      start(listener);
      listeners.push(listener);
    },
    serveDevice(open, report) {
      ports.push(new DevicePort({ open, serveSession, report }));
    },
    async close() {
      for (const port of ports) port.close();
      const closed = listeners.map(
        (listener) => new Promise<void>((resolve) => listener.close(() => resolve())),
      );
      for (const socket of sockets) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function serve(
  connection: Connection,
  socket: Duplex,
  options: SshServerOptions,
  onReady: () => void,
): void {
  // Broken or hostile peers end here; the socket's `close` releases everything.
  connection.on('error', () => socket.destroy());
  authenticate(connection, options.authorizedKeysPath, (login) => {
    onReady();
    if (login === apiLogin) serveForwarding(connection, socket, options);
    else serveShells(connection, socket, login, options.backend);
  });
}

function addressOf(listener: SocketServer): string {
  const address = listener.address();
  if (address === null || typeof address === 'string') return address ?? '';
  return address.family === 'IPv6'
    ? `[${address.address}]:${address.port}`
    : `${address.address}:${address.port}`;
}
