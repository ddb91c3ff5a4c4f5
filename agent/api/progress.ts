/** Writes Docker's JSON messages: the lines of a pull, push, load or import (moby pkg/jsonmessage). */
import type { FastifyReply } from 'fastify';
import type { Progress } from '../contract/image.ts';
import { messageOf } from './errors.ts';
import { sendChunks } from './stream-reply.ts';

/** Sends progress. An error before the first line becomes an error reply, and one after it becomes the last line. */
export async function sendProgress(
  reply: FastifyReply,
  progress: AsyncIterable<Progress>,
): Promise<void> {
  await sendChunks(reply, progressLines(progress), {
    contentType: 'application/json',
    headersFirst: false,
    errorChunk: (error) => errorLine(messageOf(error)),
  });
}

async function* progressLines(progress: AsyncIterable<Progress>): AsyncGenerator<string> {
  for await (const step of progress) yield progressLine(step);
}

export function progressLine(step: Progress): string {
  if (step.error !== undefined) return errorLine(step.error);
  const message: Record<string, unknown> = {};
  if (step.stream !== undefined) message.stream = step.stream;
  if (step.status !== undefined) message.status = step.status;
  if (step.id !== undefined) message.id = step.id;
  // Clients expect progressDetail on every line about a layer, empty when nothing is counted.
  if (step.currentBytes !== undefined)
    message.progressDetail = { current: step.currentBytes, total: step.totalBytes };
  else if (step.id !== undefined) message.progressDetail = {};
  if (step.aux !== undefined) message.aux = step.aux;
  // The CLI and the SDKs split at CRLF, which jsonmessage writes.
  return `${JSON.stringify(message)}\r\n`;
}

function errorLine(message: string): string {
  return `${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`;
}
