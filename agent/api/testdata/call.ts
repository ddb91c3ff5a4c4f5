/** One request to the API without a socket, in one line of a test. */
import type { FastifyInstance, InjectOptions } from 'fastify';

export interface Answer {
  status: number;
  headers: Record<string, unknown>;
  text: string;
  /** The body as JSON; undefined where there is none. */
  body: unknown;
}

/** `call(app, 'POST /containers/create', { Image: 'x' })`; bytes and text go as they are. */
export async function call(
  app: FastifyInstance,
  line: string,
  payload?: object | string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const [method = '', url = ''] = line.split(' ');
  const raw = typeof payload === 'string' || Buffer.isBuffer(payload);
  const reply = await app.inject({
    method: method as NonNullable<InjectOptions['method']>,
    url,
    payload: raw || payload === undefined ? payload : JSON.stringify(payload),
    headers:
      payload === undefined || raw ? headers : { 'content-type': 'application/json', ...headers },
  });
  return {
    status: reply.statusCode,
    headers: reply.headers,
    text: reply.payload,
    body: parsed(reply.payload),
  };
}

/** `?filters=` in both forms that clients send. */
export function filterForms(filters: Record<string, string[]>): string[] {
  const sets = Object.fromEntries(
    Object.entries(filters).map(([name, values]) => [
      name,
      Object.fromEntries(values.map((value) => [value, true])),
    ]),
  );
  return [filters, sets].map((form) => `filters=${encodeURIComponent(JSON.stringify(form))}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not every reply is JSON.
    return undefined;
  }
}
