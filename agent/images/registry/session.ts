/**
 * Talking to one endpoint of a registry: proves who we are when asked (Docker's token
 * specification, docs "auth/token" and "auth/oauth"; or Basic), follows redirects without giving the
 * proof away, and tries again what failed in passing.
 */

import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryCredentials } from '../../contract/image.ts';
import { CortenError } from '../../errors.ts';
import { isObject } from '../descriptor.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import type { Endpoint } from './endpoints.ts';
import { unreachable } from './errors.ts';
import {
  discard,
  exchange,
  type HttpRequest,
  type HttpResponse,
  isTransient,
  isTransientStatus,
  readBody,
} from './http.ts';

export interface SessionRequest {
  method: HttpRequest['method'];
  /** Below `/v2/`, or a whole address that the registry gave (an upload's location). */
  path: string | URL;
  headers?: Record<string, string>;
  /** Made anew for each try. */
  body?: () => Readable | Buffer;
  /** What the token must allow: `repository:library/alpine:pull`. */
  scope?: string;
  signal?: AbortSignal;
}

const maxTries = 5;
const maxRedirects = 5;
const maxTokenBytes = 1024 * 1024;
const clientId = 'corten';

export class RegistrySession {
  readonly endpoint: Endpoint;
  readonly #credentials: RegistryCredentials;
  /** Authorization header by scope. */
  readonly #proofs = new Map<string, string>();
  /** From a login with OAuth: stands for the password from then on. */
  identityToken: string | undefined;

  constructor(endpoint: Endpoint, credentials: RegistryCredentials = {}) {
    this.endpoint = endpoint;
    // A mirror is somebody else: it gets no password that was meant for the registry itself.
    this.#credentials = endpoint.mirror ? {} : credentials;
    if (this.#credentials.registryToken !== undefined && this.#credentials.registryToken !== '')
      this.#proofs.set('', `Bearer ${this.#credentials.registryToken}`);
  }

  /** Resolves with the final answer, whatever its status. Throws unavailable when none comes. */
  async send(request: SessionRequest): Promise<HttpResponse> {
    const response = await this.#withRetries(request);
    if (response.status !== 401) return response;
    const header = response.headers['www-authenticate'] ?? '';
    const proof = await this.#prove(parseChallenges(header), request);
    if (proof === undefined) return response;
    discard(response);
    this.#proofs.set(request.scope ?? '', proof);
    return this.#withRetries(request);
  }

  async #withRetries(request: SessionRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await this.#follow(request);
        if (!isTransientStatus(response.status) || attempt === maxTries) return response;
        discard(response);
        await sleep(retryAfterMs(response) ?? backoffMs(attempt), undefined, {
          signal: request.signal,
        });
      } catch (error) {
        if (request.signal?.aborted) throw request.signal.reason;
        if (!isTransient(error) || attempt === maxTries)
          throw unreachable(this.endpoint.base, error);
        await sleep(backoffMs(attempt), undefined, { signal: request.signal });
      }
    }
  }

  async #follow({
    method,
    path,
    headers,
    body,
    scope,
    signal,
  }: SessionRequest): Promise<HttpResponse> {
    const own = path instanceof URL ? path : new URL(`v2/${path}`, this.endpoint.base);
    let url = own;
    for (let redirects = 0; ; redirects++) {
      const proof = this.#proofs.get(scope ?? '') ?? this.#proofs.get('');
      // Only the registry itself is told who we are, not the store it sends us to (CVE-2020-15157).
      const trusted =
        url.host === this.endpoint.base.host && url.protocol === this.endpoint.base.protocol;
      const response = await exchange({
        method,
        url,
        headers: { ...headers, ...(proof !== undefined && trusted && { Authorization: proof }) },
        body: body?.(),
        signal,
        insecure: this.endpoint.insecure,
      });
      const location = response.headers.location;
      const redirected = [301, 302, 303, 307, 308].includes(response.status);
      if (!redirected || location === undefined || redirects === maxRedirects) return response;
      discard(response);
      url = new URL(location, url);
      if (url.protocol !== 'https:' && own.protocol === 'https:' && !this.endpoint.insecure)
        throw new Error(`it redirects from HTTPS to ${url.protocol}//${url.host}`);
    }
  }

  /** An Authorization header for the challenge, or undefined when we have nothing to show. */
  async #prove(challenges: Challenge[], request: SessionRequest): Promise<string | undefined> {
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer?.parameters.realm !== undefined) return this.#token(bearer.parameters, request);
    const { username, password } = this.#credentials;
    const basic = challenges.some(({ scheme }) => scheme === 'basic');
    return basic && username ? basicProof(username, password ?? '') : undefined;
  }

  async #token(
    parameters: Record<string, string>,
    request: SessionRequest,
  ): Promise<string | undefined> {
    const url = URL.parse(parameters.realm ?? '');
    const plainAllowed = this.endpoint.insecure || this.endpoint.base.protocol === 'http:';
    if (url === null || (url.protocol !== 'https:' && !(url.protocol === 'http:' && plainAllowed)))
      throw new CortenError(
        'unavailable',
        `the registry's login address ${parameters.realm} is not HTTPS`,
      );
    const scope = request.scope ?? parameters.scope;
    const query = {
      ...(parameters.service !== undefined && { service: parameters.service }),
      ...(scope && { scope }),
    };
    const { signal } = request;
    const response = this.#credentials.identityToken
      ? await this.#exchangeToken(
          url,
          { ...query, refresh_token: this.#credentials.identityToken },
          signal,
        )
      : await this.#fetchToken(url, query, signal);
    const body = await readBody(response, maxTokenBytes);
    if (response.status === 401 || response.status === 403) return undefined;
    if (response.status !== 200)
      throw new CortenError(
        'unavailable',
        `the registry's login service at ${url.host} answered ${response.status}`,
      );
    const answer: unknown = JSON.parse(body.toString('utf8'));
    const token = isObject(answer) ? (answer.token ?? answer.access_token) : undefined;
    if (isObject(answer) && typeof answer.refresh_token === 'string')
      this.identityToken = answer.refresh_token;
    return typeof token === 'string' ? `Bearer ${token}` : undefined;
  }

  #fetchToken(
    realm: URL,
    query: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const url = new URL(realm);
    for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
    const { username, password } = this.#credentials;
    const headers: Record<string, string> = {};
    if (username) {
      url.searchParams.set('account', username);
      url.searchParams.set('client_id', clientId);
      url.searchParams.set('offline_token', 'true');
      headers.Authorization = basicProof(username, password ?? '');
    }
    return this.#reach({ method: 'GET', url, headers, signal, insecure: this.endpoint.insecure });
  }

  #exchangeToken(
    url: URL,
    form: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: clientId, ...form });
    return this.#reach({
      method: 'POST',
      url,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(body.toString()),
      signal,
      insecure: this.endpoint.insecure,
    });
  }

  async #reach(request: HttpRequest): Promise<HttpResponse> {
    try {
      return await exchange(request);
    } catch (error) {
      if (request.signal?.aborted) throw error;
      throw unreachable(request.url, error);
    }
  }
}

function basicProof(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export function backoffMs(attempt: number): number {
  return 250 * 2 ** (attempt - 1);
}

/** In seconds (RFC 9110 10.2.3); a registry that wants us to wait longer than 30 s is as good as down. */
function retryAfterMs({ headers }: HttpResponse): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 30) * 1000 : undefined;
}
