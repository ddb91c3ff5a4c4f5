/** One HTTP exchange with a registry, and its errors. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { isLoopback } from './endpoints.ts';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: URL;
  headers?: Record<string, string>;
  body?: Readable | Buffer;
  signal?: AbortSignal;
  /** Accepts any certificate, because the registry is configured as insecure or runs on this machine. */
  insecure: boolean;
}

export interface HttpResponse {
  status: number;
  headers: IncomingMessage['headers'];
  body: IncomingMessage;
}

/** A connection without traffic for this long counts as broken. */
const idleMs = 60_000;

/** How connections to registries are made: set at start, and again when the settings change. */
export interface ConnectionSettings {
  proxies?: { http?: string; https?: string; noProxy?: string };
  /** Replaces the system's name resolution. */
  lookup?: LookupFunction;
}

let connectionSettings: ConnectionSettings = {};
const agents = new Map<string, HttpAgent>();

/** Applies to new exchanges; those in progress go on. */
export function setConnectionSettings(change: ConnectionSettings): void {
  connectionSettings = { ...connectionSettings, ...change };
  for (const agent of agents.values()) dropIdle(agent);
  agents.clear();
}

/** Connections in use end with their exchange. */
function dropIdle({ freeSockets }: HttpAgent): void {
  for (const idle of Object.values(freeSockets)) for (const socket of idle ?? []) socket.destroy();
}

function agentFor({ url, insecure }: Pick<HttpRequest, 'url' | 'insecure'>): HttpAgent {
  const isSecure = url.protocol === 'https:';
  const isDirect = isLoopback(url.host);
  const key = `${isSecure} ${insecure} ${isDirect}`;
  let agent = agents.get(key);
  if (agent === undefined) {
    agent = isSecure
      ? new HttpsAgent({ ...agentOptions(isDirect), ...trust(insecure) })
      : new HttpAgent(agentOptions(isDirect));
    agents.set(key, agent);
  }
  return agent;
}

function agentOptions(isDirect: boolean) {
  const { proxies, lookup } = connectionSettings;
  return {
    keepAlive: true,
    maxFreeSockets: 4,
    timeout: idleMs,
    ...(lookup && { lookup }),
    ...(proxies &&
      !isDirect && {
        proxyEnv: {
          HTTP_PROXY: proxies.http,
          HTTPS_PROXY: proxies.https,
          NO_PROXY: proxies.noProxy,
        },
      }),
  };
}

/** Certificates that the machine trusts count too, because companies sign their registries with them. */
function trust(insecure: boolean) {
  return insecure
    ? { rejectUnauthorized: false }
    : { ca: [...getCACertificates('default'), ...getCACertificates('system')] };
}

/** Resolves when the headers have arrived. Rejects with Node's errors or the signal's reason. */
export function exchange(request: HttpRequest): Promise<HttpResponse> {
  const { method, url, headers, body, signal, insecure } = request;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const secure = url.protocol === 'https:';
    const outgoing = (secure ? httpsRequest : httpRequest)(url, {
      method,
      headers: { 'User-Agent': 'corten', ...headers },
      agent: agentFor({ url, insecure }),
      signal,
    });
    outgoing.setTimeout(idleMs, () =>
      outgoing.destroy(
        Object.assign(new Error(`${url.host} sent nothing for ${idleMs / 1000} s`), {
          code: 'ETIMEDOUT',
        }),
      ),
    );
    outgoing.on('response', (incoming) =>
      resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: incoming }),
    );
    outgoing.on('error', (error) => reject(signal?.aborted ? signal.reason : error));
    if (body === undefined || Buffer.isBuffer(body)) outgoing.end(body);
    else {
      body.on('error', (error) => outgoing.destroy(error));
      body.pipe(outgoing);
    }
  });
}

/** Reads the whole body. Throws beyond `maxBytes`. */
export async function readBody({ body }: HttpResponse, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/** Discards a body, so that its connection can be reused. */
export function discard({ body }: HttpResponse): void {
  body.on('error', () => {});
  body.resume();
}

const transientCodes = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

/** Whether a repeated request may succeed. */
export function isTransient(error: unknown): boolean {
  return error instanceof Error && 'code' in error && transientCodes.has(String(error.code));
}

export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}
