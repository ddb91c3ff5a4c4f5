/** Requests and streams to the engine, with its errors as sentences. The verbs are in their own files. */
import type { EngineRequest } from '../../electron/contract/bridge.ts';
import { host } from './bridge.ts';
import { jsonLines } from './json-lines.ts';
import { currentLook, whileLooking } from './look.ts';

/** What the engine refused, in its own words. */
export class EngineError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

const decoder = new TextDecoder();

export async function getJson<T>(path: string): Promise<T> {
  return parse<T>(await send({ method: 'GET', path }));
}

/** Posts a JSON document (or nothing), and gives the JSON answer, undefined where there is none. */
export async function postJson<T>(path: string, body?: unknown): Promise<T> {
  return parse<T>(
    await send({
      method: 'POST',
      path,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    }),
  );
}

export async function remove(path: string): Promise<void> {
  await send({ method: 'DELETE', path });
}

/** The answer's head, then its bytes. Ends with the answer, or when the signal aborts. */
export async function* streamBytes(
  request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<{ head: { headers: Record<string, string> } } | { data: Uint8Array }> {
  let failed: { status: number; parts: Uint8Array[] } | undefined;
  const { machine } = currentLook();
  for await (const item of host().stream('engine.stream', { machine, ...request }, signal)) {
    if ('head' in item) {
      if (item.head.status >= 400) failed = { status: item.head.status, parts: [] };
      else yield { head: { headers: item.head.headers } };
    } else if (failed) failed.parts.push(item.data);
    else yield item;
  }
  if (failed) throw refusal(failed.status, concat(failed.parts));
}

export async function* streamJson<T>(
  request: EngineRequest,
  signal: AbortSignal,
): AsyncGenerator<T> {
  const lines = jsonLines();
  for await (const item of streamBytes(request, signal))
    if ('data' in item) for (const value of lines(item.data)) yield value as T;
}

/** A query string of what is defined. */
export function query(values: Record<string, string | number | boolean | undefined>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(values))
    if (value !== undefined) search.set(key, String(value));
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function send(request: EngineRequest): Promise<Uint8Array> {
  const look = currentLook();
  const { machine } = look;
  const response = await whileLooking(
    look,
    host().request('engine.request', { machine, ...request }),
  );
  // 304: the container was already in the wanted state, which is what was asked for.
  if (response.status >= 400) throw refusal(response.status, response.body);
  return response.body;
}

function parse<T>(body: Uint8Array): T {
  return (body.length === 0 ? undefined : JSON.parse(decoder.decode(body))) as T;
}

function refusal(status: number, body: Uint8Array): EngineError {
  const text = decoder.decode(body);
  try {
    const { message } = JSON.parse(text) as { message?: string };
    if (message) return new EngineError(status, message);
  } catch {
    // Not JSON (a proxy, a crash): the text itself is the best sentence there is.
  }
  return new EngineError(status, text.trim() || `The engine answered with status ${status}.`);
}

function concat(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
