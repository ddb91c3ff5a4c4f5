/**
 * A session with one endpoint of a registry: it authenticates on request (Docker's token specification, docs
 * "auth/token" and "auth/oauth"; or Basic), follows redirects without forwarding the credentials, and repeats
 * requests after transient errors.
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
  /** Path below `/v2/`, or a whole URL from the registry (an upload's location). */
  path: string | URL;
  headers?: Record<string, string>;
  /** Creates the body for each try. */
  body?: () => Readable | Buffer;
  /** Scope of the token, such as `repository:library/alpine:pull`. */
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
  /** Authorization headers by scope. */
  readonly #authorizations = new Map<string, string>();
  /** Identity token of a login with OAuth, which replaces the password. */
  identityToken: string | undefined;

  constructor(endpoint: Endpoint, credentials: RegistryCredentials = {}) {
    this.endpoint = endpoint;
    // A mirror is another party and must not get the registry's password.
    this.#credentials = endpoint.mirror ? {} : credentials;
    if (this.#credentials.registryToken !== undefined && this.#credentials.registryToken !== '')
      this.#authorizations.set('', `Bearer ${this.#credentials.registryToken}`);
  }

  /** Resolves with the final response, whatever its status. Throws unavailable when none arrives. */
  async send(request: SessionRequest): Promise<HttpResponse> {
    const response = await this.#withRetries(request);
    if (response.status !== 401) return response;
    const header = response.headers['www-authenticate'] ?? '';
    const proof = await this.#authorize(parseChallenges(header), request);
    if (proof === undefined) return response;
    discard(response);
    this.#authorizations.set(request.scope ?? '', proof);
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
      const proof = this.#authorizations.get(scope ?? '') ?? this.#authorizations.get('');
      // Only the registry itself gets credentials, not the storage that it redirects to (CVE-2020-15157).
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

  /** Authorization header for the challenge; `undefined` without credentials for it. */
  async #authorize(challenges: Challenge[], request: SessionRequest): Promise<string | undefined> {
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer?.parameters.realm !== undefined) return this.#token(bearer.parameters, request);
    const { username, password } = this.#credentials;
    const basic = challenges.some(({ scheme }) => scheme === 'basic');
    return basic && username ? basicAuthorization(username, password ?? '') : undefined;
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
      headers.Authorization = basicAuthorization(username, password ?? '');
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

function basicAuthorization(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export function backoffMs(attempt: number): number {
  return 250 * 2 ** (attempt - 1);
}

/** Retry-After in milliseconds (RFC 9110 10.2.3). A registry that asks for more than 30 s counts as unavailable. */
function retryAfterMs({ headers }: HttpResponse): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 30) * 1000 : undefined;
}
