/** A request's JSON document. Other bodies (archives) are streams that are never gathered here. */
import type { FastifyRequest } from 'fastify';
import { invalid } from '../errors.ts';
import { Fields } from './fields.ts';

/** Far above any real document; what is larger is a mistake or an attack. */
export const maxJsonBytes = 16 * 1024 * 1024;

/** The body's fields; a body that is missing or not an object is refused. */
export async function readJson(request: FastifyRequest): Promise<Fields> {
  const text = await readText(request);
  if (text === '') throw invalid('invalid JSON: got EOF while reading request body');
  return new Fields(parse(text));
}

/** For requests whose body may be left out: `null` and nothing are an empty document. */
export async function readOptionalJson(request: FastifyRequest): Promise<Fields> {
  const text = await readText(request);
  return new Fields(text === '' ? {} : (parse(text) ?? {}));
}

async function readText(request: FastifyRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Stopping early must not destroy the request, whose connection still carries the error reply.
  for await (const chunk of request.raw.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxJsonBytes)
      throw invalid(`the request body is too large: at most ${maxJsonBytes} bytes of JSON`);
    chunks.push(chunk as Buffer);
  }
  if (bytes > 0) checkContentType(request.headers['content-type']);
  return Buffer.concat(chunks).toString('utf8').trim();
}

/** No Content-Type at all passes: older clients and plain HTTP libraries send none. */
function checkContentType(contentType: string | undefined): void {
  if (contentType === undefined || contentType === '') return;
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== 'application/json')
    throw invalid(`unsupported Content-Type header (${contentType}): must be 'application/json'`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(`invalid JSON: ${(error as SyntaxError).message}`, error);
  }
}
