/** The sessions that clients have opened, by id. */
import type { Duplex } from 'node:stream';
import type { SessionHeaders } from '../../api/build/backend.ts';
import { notFound } from '../../errors.ts';
import { ClientConnection } from './client-connection.ts';
import { LocalCopies } from './local-copies.ts';
import { Session } from './session.ts';

/** How long a build may come before its session: both travel on connections of their own. */
const arrivalMs = 5_000;

export class Sessions {
  readonly #copies: LocalCopies;
  readonly #sessions = new Map<string, Session>();
  readonly #awaited = new Map<string, Set<(session: Session) => void>>();

  /** Copies of clients' directories are kept below `copiesDirectory`. */
  constructor(copiesDirectory: string) {
    this.#copies = new LocalCopies(copiesDirectory);
  }

  /** Takes over a connection. One whose id is taken already is closed. */
  open(connection: Duplex, headers: SessionHeaders): Session | undefined {
    const { id } = headers;
    if (this.#sessions.has(id)) {
      connection.destroy();
      return undefined;
    }
    const session = new Session(headers, new ClientConnection(connection), this.#copies);
    this.#sessions.set(id, session);
    session.closed.addEventListener('abort', () => this.#sessions.delete(id), { once: true });
    for (const arrived of this.#awaited.get(id) ?? []) arrived(session);
    return session;
  }

  /** Waits a moment for one that is not there yet. Throws not-found, or the reason of the signal. */
  async find(id: string, signal: AbortSignal): Promise<Session> {
    const session = this.#sessions.get(id) ?? (await this.#arrival(id, signal));
    if (session === undefined)
      throw notFound(`no active session for ${id}: context deadline exceeded`);
    return session;
  }

  async #arrival(id: string, signal: AbortSignal): Promise<Session | undefined> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Session | undefined>();
    const abort = () => reject(signal.reason);
    const timer = setTimeout(resolve, arrivalMs, undefined);
    const awaited = this.#awaited.get(id) ?? new Set();
    this.#awaited.set(id, awaited.add(resolve));
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      awaited.delete(resolve);
      if (awaited.size === 0) this.#awaited.delete(id);
    }
  }
}
