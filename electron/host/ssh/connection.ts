/** Opens one SSH connection to a machine, whose host key is known. */
import { timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import type { SshEndpoint } from './endpoint.ts';

/** After three missed answers at this interval the machine counts as gone. */
const keepaliveIntervalMs = 10_000;
/** The key exchange of a busy machine takes seconds. */
const defaultHandshakeMs = 30_000;

export class HostKeyMismatch extends Error {
  constructor() {
    super(
      'The machine shows another host key than the one it was made with. If you did not make it ' +
        'anew, something stands between you and it: do not go on.',
    );
    this.name = 'HostKeyMismatch';
  }
}

/** The server accepted the connection, but the login was not done in time. */
export class HandshakeTimeout extends Error {
  constructor(ms: number) {
    super(`It was not ready for a login in ${Math.round(ms / 100) / 10} s.`);
    this.name = 'HandshakeTimeout';
  }
}

export interface ConnectionOptions {
  /** Gets the connection's stream for a silence timeout of its own; without it ssh2's keepalive ends the connection. */
  takeLine?(line: Duplex): void;
  /** Cancels the connection until the login is done. */
  signal?: AbortSignal;
  handshakeMs?: number;
}

/** Resolves after the login. Rejects with HostKeyMismatch, HandshakeTimeout or ssh2's own error. */
export async function openConnection(
  endpoint: SshEndpoint,
  login: string,
  { takeLine, signal, handshakeMs = defaultHandshakeMs }: ConnectionOptions = {},
): Promise<Client> {
  const line = await endpoint.dial();
  const client = new ssh2.Client();
  const pinned = publicKeyBytes(endpoint.hostPublicKey);
  let mismatch = false;
  const hangUp = () => client.destroy();
  const opened = new Promise<Client>((resolve, reject) => {
    // This listener stays, because a later error shows as `close`.
    client.on('error', (error: Error & { level?: string }) => {
      if (error.level === 'client-timeout') reject(new HandshakeTimeout(handshakeMs));
      else reject(mismatch ? new HostKeyMismatch() : error);
    });
    client.once('close', () => reject(new Error('The machine closed the connection.')));
    client.once('ready', () => resolve(client));
    client.connect({
      sock: line,
      username: login,
      privateKey: endpoint.clientPrivateKey,
      hostVerifier: (key: Buffer) => {
        mismatch = !(key.length === pinned.length && timingSafeEqual(key, pinned));
        return !mismatch;
      },
      algorithms: {
        cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'],
        serverHostKey: ['ssh-ed25519'],
        compress: ['none'],
      },
      readyTimeout: handshakeMs,
      keepaliveInterval: keepaliveIntervalMs,
      keepaliveCountMax: takeLine === undefined ? 3 : Number.MAX_SAFE_INTEGER,
      // ssh2 sends OpenSSH's streamlocal extension only to OpenSSH unless it is told that the server knows it.
      strictVendor: false,
    });
    // This listener comes after ssh2's own, so that no data flows before ssh2 listens.
    takeLine?.(line);
    signal?.addEventListener('abort', hangUp);
    if (signal?.aborted) hangUp();
  });
  return opened.finally(() => signal?.removeEventListener('abort', hangUp));
}

export function openStreamLocal(client: Client, path: string): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.openssh_forwardOutStreamLocal(path, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}

/** Opens a channel to a TCP address as the machine resolves it. */
export function openTcp(client: Client, host: string, port: number): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}

function publicKeyBytes(line: string): Buffer {
  const parsed = ssh2.utils.parseKey(line);
  if (parsed instanceof Error) throw new Error(`The pinned host key is broken: ${parsed.message}`);
  return parsed.getPublicSSH();
}
