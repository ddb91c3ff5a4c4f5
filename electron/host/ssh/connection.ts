/** One SSH connection to a machine, with its host key pinned. */
import { timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import ssh2, { type Client, type ClientChannel } from 'ssh2';
import type { SshEndpoint } from './endpoint.ts';

/** Three missed answers in this rhythm mean that the machine is gone or asleep. */
const keepaliveIntervalMs = 10_000;
/** A busy machine's key exchange takes seconds. */
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

/** Somebody takes connections there, and did not get to a login in time. */
export class HandshakeTimeout extends Error {
  constructor(ms: number) {
    super(`It was not ready for a login in ${Math.round(ms / 100) / 10} s.`);
    this.name = 'HandshakeTimeout';
  }
}

export interface ConnectionOptions {
  /** Whoever takes the line decides about its silence; otherwise it ends after three missed answers. */
  takeLine?(line: Duplex): void;
  /** For as long as it is not logged in. */
  signal?: AbortSignal;
  handshakeMs?: number;
}

/** Resolves once logged in; rejects with the cause, HostKeyMismatch and HandshakeTimeout among them. */
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
    // For the connection's whole life: what breaks later shows as `close`.
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
      // streamlocal is OpenSSH's extension, and the agent speaks it without being OpenSSH.
      strictVendor: false,
    });
    // After ssh2, so that nothing arrives before it listens.
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

/** To a TCP address as the machine sees it. */
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
