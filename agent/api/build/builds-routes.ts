/** Routes of builds that Docker's API lacks: which there are, how far they are, and their history (docs/api.md). */
import type { FastifyInstance } from 'fastify';
import type { BuildProgressDocument } from '../../contract/build.ts';
import { readJson } from '../json-body.ts';
import { pathPart } from '../query.ts';
import { sendChunks, untilGone } from '../stream-reply.ts';
import type { BuildsBackend } from './backend.ts';
import type { WaitingSecrets } from './waiting-secrets.ts';

export function buildsRoutes(
  app: FastifyInstance,
  builds: BuildsBackend,
  secrets: WaitingSecrets,
): void {
  app.get('/corten/v1/builds', () => builds.list());

  app.get('/corten/v1/builds/:ref', (request) => builds.inspect(pathPart(request, 'ref')));

  app.get('/corten/v1/builds/:ref/progress', (request, reply) =>
    sendChunks(reply, lines(builds.progress(pathPart(request, 'ref'), untilGone(reply))), {
      contentType: 'application/x-ndjson',
      // A ref that is unknown is answered with 404, which the first line decides.
      headersFirst: false,
    }),
  );

  app.post('/corten/v1/builds/:ref/cancel', async (request, reply) => {
    await builds.cancel(pathPart(request, 'ref'));
    return reply.code(204).send();
  });

  app.post('/corten/v1/builds/:ref/pin', async (request, reply) => {
    await builds.setPinned(pathPart(request, 'ref'), true);
    return reply.code(204).send();
  });

  app.post('/corten/v1/builds/:ref/unpin', async (request, reply) => {
    await builds.setPinned(pathPart(request, 'ref'), false);
    return reply.code(204).send();
  });

  app.delete('/corten/v1/builds/:ref', async (request, reply) => {
    await builds.remove(pathPart(request, 'ref'));
    return reply.code(204).send();
  });

  app.put('/corten/v1/builds/:ref/secrets', async (request, reply) => {
    const fields = await readJson(request);
    secrets.leave(pathPart(request, 'ref'), fields.textMap('secrets'));
    return reply.code(204).send();
  });
}

async function* lines(documents: AsyncIterable<BuildProgressDocument>): AsyncGenerator<string> {
  for await (const document of documents) yield `${JSON.stringify(document)}\n`;
}
