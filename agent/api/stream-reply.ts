/** Replies whose body comes bit by bit, with back pressure and an end when the client goes away. */
import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

type Chunks = AsyncIterable<string | Uint8Array>;

export interface StreamReply {
  contentType: string;
  /** Send the status before the first chunk is there, because the client waits for it. */
  headersFirst: boolean;
  /** The last chunk after a failure half-way; without it the connection is cut, which clients see. */
  lastWords?: (error: unknown) => string;
}

/** Made once: an error notes where it was made, which takes time after each reply. */
const isOver = new Error('the client has gone, or has all of its reply');

/** Aborts when the client has gone or the reply is complete. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort(isOver));
  return gone.signal;
}

/**
 * Sends the chunks. Without `headersFirst`, a failure before the first chunk is thrown, so that it
 * becomes an ordinary error reply with its status.
 */
export async function sendChunks(
  reply: FastifyReply,
  chunks: Chunks,
  { contentType, headersFirst, lastWords }: StreamReply,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = headersFirst ? undefined : await iterator.next();
  openReply(reply, contentType);
  const gone = untilGone(reply);
  // A source may sit in next() for ever, so leaving does not wait for it.
  gone.addEventListener('abort', () => void iterator.return?.()?.catch(() => undefined));
  try {
    for (let step = first ?? (await iterator.next()); !step.done; step = await iterator.next()) {
      if (gone.aborted) return;
      await writeChunk(reply, step.value, gone);
    }
    reply.raw.end();
  } catch (error) {
    // After an abort the source fails because it was told to stop.
    if (gone.aborted) return;
    if (lastWords === undefined) reply.raw.destroy(error as Error);
    else reply.raw.end(lastWords(error));
  }
}

/** Takes the reply out of fastify's hands and sends status 200 with its headers at once. */
export function openReply(reply: FastifyReply, contentType: string): void {
  reply.hijack();
  reply.raw.writeHead(200, { ...ownHeaders(reply), 'Content-Type': contentType });
  reply.raw.flushHeaders();
}

async function writeChunk(
  reply: FastifyReply,
  chunk: string | Uint8Array,
  gone: AbortSignal,
): Promise<void> {
  if (chunk.length === 0 || reply.raw.write(chunk)) return;
  await once(reply.raw, 'drain', { signal: gone });
}

function ownHeaders(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(
    Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]),
  );
}
