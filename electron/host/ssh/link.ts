/**
 * The app's lasting connection to a machine, with the login `api`. It reconnects by itself with
 * growing pauses. Channels of a broken connection fail, and their users open new ones.
 */
import type { Client, ClientChannel } from 'ssh2';
import { HostKeyMismatch, openConnection, openStreamLocal, openTcp } from './connection.ts';
import type { SshEndpoint } from './endpoint.ts';
import { type SilenceTimeout, startSilenceTimeout } from './silence-timeout.ts';

const firstRetryMs = 100;
const longestRetryMs = 5_000;
/** How long a request waits for a reconnect. */
const timeoutMs = 5_000;

/** The agent's name for its API socket, independent of the socket's path. */
const apiSocket = 'docker.sock';

export class NotConnected extends Error {
  constructor(cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : '.';
    super(`The machine cannot be reached${why} It is being tried again.`, { cause });
    this.name = 'NotConnected';
  }
}

export interface SshLink {
  readonly endpoint: SshEndpoint;
  /** Makes the first connection. When it rejects, the link does not try again by itself. */
  connect(handshakeMs?: number): Promise<void>;
  openApiChannel(): Promise<ClientChannel>;
  /** Opens a channel to one of the agent's sockets by its name (agent/ssh/forward.ts). */
  openStreamLocal(name: string): Promise<ClientChannel>;
  openTcp(host: string, port: number): Promise<ClientChannel>;
  /** Calls the listener at each connect and disconnect. */
  onConnection(listener: (connected: boolean) => void): () => void;
  /** While true, as for a paused machine, silence does not break the connection. */
  allowSilence(isAllowed: boolean): void;
  close(): void;
}

/** Opens channels to the agent's own sockets only. */
export type ServiceLink = Pick<SshLink, 'openStreamLocal'>;

export function createSshLink(endpoint: SshEndpoint): SshLink {
  const listeners = new Set<(connected: boolean) => void>();
  let client: Client | undefined;
  let retryMs = firstRetryMs;
  let timer: NodeJS.Timeout | undefined;
  let lastFailure: unknown;
  const over = new AbortController();
  let silence: SilenceTimeout | undefined;

  async function connect(handshakeMs?: number): Promise<void> {
    const fresh = await openConnection(endpoint, 'api', {
      takeLine: (line) => {
        silence = startSilenceTimeout(line);
      },
      signal: over.signal,
      handshakeMs,
    });
    if (over.signal.aborted) {
      fresh.end();
      return;
    }
    client = fresh;
    retryMs = firstRetryMs;
    fresh.once('close', () => {
      client = undefined;
      tell(false);
      retryLater();
    });
    tell(true);
  }

  function retryLater(): void {
    if (over.signal.aborted) return;
    timer = setTimeout(() => {
      connect().catch((error: unknown) => {
        lastFailure = error;
        // After a wrong host key another try would only reach the same impostor.
        if (!(error instanceof HostKeyMismatch)) retryLater();
      });
    }, retryMs);
    retryMs = Math.min(retryMs * 2, longestRetryMs);
  }

  function tell(connected: boolean): void {
    for (const listener of listeners) listener(connected);
  }

  function connected(): Promise<Client> {
    if (client !== undefined) return Promise.resolve(client);
    if (over.signal.aborted || lastFailure instanceof HostKeyMismatch)
      return Promise.reject(new NotConnected(lastFailure));
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timeout);
        listeners.delete(onChange);
      };
      const onChange = () => {
        if (client === undefined) return;
        stop();
        resolve(client);
      };
      const timeout = setTimeout(() => {
        stop();
        reject(new NotConnected(lastFailure));
      }, timeoutMs);
      listeners.add(onChange);
    });
  }

  return {
    endpoint,
    connect,
    openApiChannel: async () => openStreamLocal(await connected(), apiSocket),
    openStreamLocal: async (name) => openStreamLocal(await connected(), name),
    openTcp: async (host, port) => openTcp(await connected(), host, port),
    onConnection(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    allowSilence: (isAllowed) => silence?.allow(isAllowed),
    close() {
      over.abort();
      silence?.stop();
      clearTimeout(timer);
      client?.end();
    },
  };
}
