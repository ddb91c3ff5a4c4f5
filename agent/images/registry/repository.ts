/** One repository of a registry: manifests, blobs and tags (OCI distribution-spec). */
import type { RegistryCredentials } from '../../contract/image.ts';
import { CortenError, invalid } from '../../errors.ts';
import { digestOf, isObject, maxDocumentBytes, mediaTypes } from '../descriptor.ts';
import { fullName, type Reference } from '../reference.ts';
import { type Endpoint, endpointsOf, type RegistryOptions } from './endpoints.ts';
import { problemOf, refused, unreachable } from './errors.ts';
import { discard, exchange, type HttpResponse, readBody } from './http.ts';
import { RegistrySession, type SessionRequest } from './session.ts';

export interface ServedManifest {
  bytes: Buffer;
  mediaType: string | undefined;
  digest: string;
}

const manifestTypes = [
  mediaTypes.index,
  mediaTypes.manifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
].join(', ');

const maxErrorBytes = 64 * 1024;
const maxTagPages = 1000;

export class Repository {
  readonly #name: string;
  readonly #path: string;
  readonly #sessions: RegistrySession[];

  private constructor(name: string, path: string, sessions: RegistrySession[]) {
    this.#name = name;
    this.#path = path;
    this.#sessions = sessions;
  }

  static async open(
    reference: Reference,
    options: RegistryOptions,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<Repository> {
    const endpoints = await reachable(endpointsOf(reference.domain, options), signal);
    const sessions = endpoints.map((endpoint) => new RegistrySession(endpoint, credentials));
    return new Repository(fullName(reference), reference.path, sessions);
  }

  /** Session with the registry itself and not a mirror; pushes go there. */
  get origin(): RegistrySession {
    const session = this.#sessions.at(-1);
    if (session === undefined) throw new Error('a repository has at least one endpoint');
    return session;
  }

  get path(): string {
    return this.#path;
  }

  get pullScope(): string {
    return `repository:${this.#path}:pull`;
  }

  /** Reads a manifest by tag or digest. Throws invalid when the served content has another digest. */
  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<ServedManifest> {
    const response = await this.#get(
      {
        method: 'GET',
        path: `${this.#path}/manifests/${tagOrDigest}`,
        headers: { Accept: manifestTypes },
      },
      tagOrDigest,
      signal,
    );
    const bytes = await readBody(response, maxDocumentBytes);
    const digest = digestOf(bytes);
    if (tagOrDigest.startsWith('sha256:') && tagOrDigest !== digest)
      throw invalid(
        `manifest verification failed for digest ${tagOrDigest}: the registry served ${digest}`,
      );
    const type = response.headers['content-type']?.split(';')[0]?.trim();
    return { bytes, mediaType: type, digest };
  }

  /** Opens a blob at an offset; the response has status 200 or 206. */
  blob(digest: string, offset: number, signal: AbortSignal): Promise<HttpResponse> {
    const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const path = `${this.#path}/blobs/${digest}`;
    return this.#get({ method: 'GET', path, headers }, digest, signal);
  }

  /** All tags, which the registry may return in pages (`Link`, RFC 8288). */
  async tags(signal: AbortSignal): Promise<string[]> {
    const tags: string[] = [];
    let path: string | undefined = `${this.#path}/tags/list`;
    for (let page = 0; path !== undefined && page < maxTagPages; page++) {
      const response = await this.#get({ method: 'GET', path }, 'all tags', signal);
      const document: unknown = JSON.parse(
        (await readBody(response, maxDocumentBytes)).toString('utf8'),
      );
      if (isObject(document) && Array.isArray(document.tags))
        tags.push(...document.tags.map(String));
      path = nextPage(response.headers.link);
    }
    return tags;
  }

  /** Tries one endpoint after the other; the last one's error is thrown. */
  async #get(request: SessionRequest, what: string, signal: AbortSignal): Promise<HttpResponse> {
    let failure: unknown;
    for (const session of this.#sessions) {
      try {
        const response = await session.send({ ...request, scope: this.pullScope, signal });
        if (response.status === 200 || response.status === 206) return response;
        const body = await readBody(response, maxErrorBytes);
        failure = refused(response.status, problemOf(body, response.status), this.#name, what);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = error;
      }
    }
    throw failure;
  }
}

/** Keeps the endpoint of HTTPS and HTTP that works. Mirrors stay, because one that is down is skipped at each request. */
export async function reachable(endpoints: Endpoint[], signal: AbortSignal): Promise<Endpoint[]> {
  const mirrors = endpoints.filter(({ mirror }) => mirror);
  const own = endpoints.filter(({ mirror }) => !mirror);
  if (own.length === 1) return endpoints;
  let failure: CortenError | undefined;
  for (const endpoint of own) {
    try {
      const url = new URL('v2/', endpoint.base);
      discard(await exchange({ method: 'GET', url, signal, insecure: endpoint.insecure }));
      return [...mirrors, endpoint];
    } catch (error) {
      if (signal.aborted) throw error;
      failure = unreachable(endpoint.base, error);
    }
  }
  if (failure === undefined) throw new CortenError('internal', 'a registry without an address');
  throw failure;
}

function nextPage(link: string | string[] | undefined): string | undefined {
  const match = /<([^>]*)>\s*;\s*rel="?next"?/.exec(String(link ?? ''));
  if (match === null) return undefined;
  const url = URL.parse(match[1] ?? '', 'http://registry/v2/');
  return url === null ? undefined : `${url.pathname}${url.search}`.replace(/^\/v2\//, '');
}
