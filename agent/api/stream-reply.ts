/** Streams a reply's body with back pressure, and stops when the client goes away. */
import { once } from 'node:events';
import type { FastifyReply } from 'fastify';

type Chunks = AsyncIterable<string | Uint8Array>;

export interface StreamReply {
  contentType: string;
  /** Whether to send the status before the first chunk, because the client waits for it. */
  headersFirst: boolean;
  /** Returns the last chunk after an error; without it the connection is cut, which clients notice. */
  errorChunk?: (error: unknown) => string;
}

/** Created once, because an error records its stack, which would take time at each reply. */
const isOver = new Error('the client has gone, or has all of its reply');

/** Returns a signal that aborts when the client has gone or the reply is complete. */
export function untilGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort(isOver));
  return gone.signal;
}

/**
 * Sends the chunks. Without `headersFirst` an error before the first chunk is thrown, so that it becomes an ordinary
 * error reply with its status.
 */
export async function sendChunks(
  reply: FastifyReply,
  chunks: Chunks,
  { contentType, headersFirst, errorChunk }: StreamReply,
): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = headersFirst ? undefined : await iterator.next();
  openReply(reply, contentType);
  const gone = untilGone(reply);
  // A source may stay in next() forever, so the end does not wait for it.
  gone.addEventListener('abort', () => void iterator.return?.()?.catch(() => undefined));
  try {
    for (let step = first ?? (await iterator.next()); !step.done; step = await iterator.next()) {
      if (gone.aborted) return;
      await writeChunk(reply, step.value, gone);
    }
    reply.raw.end();
  } catch (error) {
    // After an abort the source fails because it was stopped.
    if (gone.aborted) return;
    if (errorChunk === undefined) reply.raw.destroy(error as Error);
    else reply.raw.end(errorChunk(error));
  }
}

/** Takes the reply over from fastify and sends status 200 with its headers at once. */
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
