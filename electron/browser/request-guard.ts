/**
 * Who may talk to the browser shell. Every program and web page on this computer can reach a
 * loopback port, so each request must show where it is addressed (Host, against DNS rebinding),
 * where it comes from (Origin, against other pages) and who it is (the cookie).
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { linkExplanation, openCommand } from './link-page.ts';

export type Verdict =
  | { allow: true }
  /** The token was right: set the cookie and go to the page, so that the token leaves the address. */
  | { allow: false; enter: string }
  | { allow: false; status: 403 | 421; reason: string }
  /** A browser without a session: a person is shown how to get a link. */
  | { allow: false; status: 403; reason: string; needsLink: true };

export const tokenPath = '/enter';

export class RequestGuard {
  readonly #session = secret();
  readonly #port: number;
  #token: string | undefined = secret();

  constructor(port: number) {
    this.#port = port;
  }

  /** The address to open once. */
  get address(): string {
    return `${this.#origin('127.0.0.1')}${tokenPath}?token=${this.#token ?? ''}`;
  }

  /** Another address to open once; the one before it opens nothing any more. Browsers that are in stay in. */
  freshAddress(): string {
    this.#token = secret();
    return this.address;
  }

  judge(request: IncomingMessage): Verdict {
    const { host } = request.headers;
    if (host !== this.#host('127.0.0.1') && host !== this.#host('localhost'))
      return { allow: false, status: 421, reason: 'This address is not served here.' };
    if (!this.#isOwnOrigin(request))
      return { allow: false, status: 403, reason: 'Another page may not talk to Corten.' };
    const known = this.#knows(request);
    const url = URL.parse(request.url ?? '/', this.#origin('127.0.0.1'));
    if (url === null) return { allow: false, status: 403, reason: 'This is no address.' };
    if (url.pathname === tokenPath && request.method === 'GET') {
      // A person who opens the same address again in the same browser is let in by the cookie.
      if (known || this.#redeem(url.searchParams.get('token')))
        return { allow: false, enter: this.#cookie() };
      return noSession;
    }
    return known ? { allow: true } : noSession;
  }

  /** A WebSocket is open to every page of the web, so here the Origin must be there and be ours. */
  judgeWebSocket(request: IncomingMessage): Verdict {
    if (request.headers.origin === undefined)
      return { allow: false, status: 403, reason: 'A WebSocket must say where it comes from.' };
    return this.judge(request);
  }

  #isOwnOrigin({ headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    return origin === undefined || origin === `http://${host}`;
  }

  #redeem(token: string | null): boolean {
    if (this.#token === undefined || token === null || !same(token, this.#token)) return false;
    this.#token = undefined;
    return true;
  }

  #knows(request: IncomingMessage): boolean {
    const name = `${this.#cookieName}=`;
    return (request.headers.cookie ?? '')
      .split(';')
      .map((pair) => pair.trim())
      .some((pair) => pair.startsWith(name) && same(pair.slice(name.length), this.#session));
  }

  /** The port is in the name because cookies do not know ports, and two shells may run. */
  get #cookieName(): string {
    return `corten-${this.#port}`;
  }

  #cookie(): string {
    return `${this.#cookieName}=${this.#session}; HttpOnly; SameSite=Strict; Path=/`;
  }

  #host(name: string): string {
    return `${name}:${this.#port}`;
  }

  #origin(name: string): string {
    return `http://${this.#host(name)}`;
  }
}

const noSession: Verdict = {
  allow: false,
  status: 403,
  reason: `${linkExplanation} Run "${openCommand}" to get a fresh link.`,
  needsLink: true,
};

function secret(): string {
  return randomBytes(32).toString('base64url');
}

/** Hashed first: timingSafeEqual wants equal lengths. */
function same(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
