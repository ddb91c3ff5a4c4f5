/** Routes of pressure: now, as a stream, as the history of an hour, and as suggested limits. */
import type { FastifyInstance } from 'fastify';
import type { PressureDocument } from '../../contract/pressure.ts';
import { invalid } from '../../errors.ts';
import { pathPart, Query } from '../query.ts';
import { sendChunks, untilGone } from '../stream-reply.ts';
import type { PressureBackend } from './backend.ts';

const longestSeconds = 3600;

export function pressureRoutes(app: FastifyInstance, pressure: PressureBackend): void {
  app.get('/corten/v1/pressure', async () => pressure.all());

  app.get('/corten/v1/containers/:id/pressure', async (request, reply) => {
    const reference = pathPart(request, 'id');
    // This runs before the status is sent, so that an unknown container gives 404.
    const now = pressure.now(reference);
    if (!new Query(request).flag('stream')) return now;
    await sendChunks(reply, lines(pressure.watch(now.id, untilGone(reply))), {
      contentType: 'application/x-ndjson',
      headersFirst: true,
    });
    return undefined;
  });

  app.get('/corten/v1/containers/:id/history', async (request) => {
    const query = new Query(request);
    const seconds = inHour('seconds', query.integer('seconds') ?? longestSeconds);
    const stepSeconds = inHour('step', query.integer('step') ?? 1);
    return pressure.history(pathPart(request, 'id'), { seconds, stepSeconds });
  });

  app.get('/corten/v1/containers/:id/suggestions', async (request) =>
    pressure.suggestions(pathPart(request, 'id')),
  );
}

function inHour(name: string, value: number): number {
  if (value < 1 || value > longestSeconds)
    throw invalid(`bad parameter: "${name}" must be from 1 to ${longestSeconds}, not ${value}`);
  return value;
}

async function* lines(documents: AsyncIterable<PressureDocument>): AsyncGenerator<string> {
  for await (const document of documents) yield `${JSON.stringify(document)}\n`;
}
