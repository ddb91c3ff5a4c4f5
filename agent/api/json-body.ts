/** Reads a request's JSON document. Other bodies (archives) are streams and are not read here. */
import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { invalid } from '../errors.ts';
import { Fields } from './fields.ts';

/** Limit of a document's size, far above that of real ones. */
export const maxJsonBytes = 16 * 1024 * 1024;

/** Fields of the body. Throws invalid when it is absent or no object. */
export async function readJson(request: FastifyRequest): Promise<Fields> {
  const text = await readText(request);
  if (text === '') throw invalid('invalid JSON: got EOF while reading request body');
  return new Fields(parse(text));
}

/** Fields of an optional body: `null` and an empty body equal an empty document. */
export async function readOptionalJson(request: FastifyRequest): Promise<Fields> {
  const text = await readText(request);
  return new Fields(text === '' ? {} : (parse(text) ?? {}));
}

async function readText(request: FastifyRequest): Promise<string> {
  const body = await readBytes(request.raw);
  if (body.length > 0) checkContentType(request.headers['content-type']);
  return body.toString('utf8').trim();
}

/** Reads the stream with events, because for a small request its iterator takes as long as everything else. */
function readBytes(stream: Readable): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= maxJsonBytes) {
      chunks.push(chunk);
      return;
    }
    // The stream must not be destroyed: its connection still carries the error reply.
    stream.off('data', onData).pause();
    reject(invalid(`the request body is too large: at most ${maxJsonBytes} bytes of JSON`));
  };
  stream.on('data', onData);
  stream.once('end', () => resolve(Buffer.concat(chunks)));
  stream.once('error', reject);
  const endsEarly = () => reject(invalid('the request ended before its body did'));
  stream.once('close', endsEarly);
  if (stream.destroyed) endsEarly();
  return promise;
}

/** Accepts a missing Content-Type, because older clients and plain HTTP libraries send none. */
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
