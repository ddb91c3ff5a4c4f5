/**
 * Image routes. A name may contain slashes, so everything below `/images/` that is no fixed path is one wildcard,
 * split at its last part: `/images/team/app/json` is `json` of `team/app`.
 */
import type { FastifyInstance } from 'fastify';
import { CortenError, notFound } from '../../errors.ts';
import { pathPart, Query } from '../query.ts';
import type { ImagesBackend } from './backend.ts';
import * as handlers from './handlers.ts';

export function imageRoutes(app: FastifyInstance, images: ImagesBackend): void {
  app.get('/images/json', (request) => handlers.list(images, request));
  app.get('/images/get', (request, reply) =>
    handlers.save(images, new Query(request).texts('names'), reply),
  );
  app.get('/images/search', () => {
    throw new CortenError(
      'not-implemented',
      'searching is not supported: look the image up on its registry (hub.docker.com) and pull it by name',
    );
  });
  app.post('/images/create', (request, reply) => handlers.create(images, request, reply));
  app.post('/images/load', (request, reply) => handlers.load(images, request, reply));
  app.post('/images/prune', (request) => handlers.prune(images, request));
  app.post('/commit', (request, reply) => handlers.commit(images, request, reply));
  app.post('/auth', (request) => handlers.login(images, request));

  app.get('/images/*', async (request, reply) => {
    const { name, action } = split(pathPart(request, '*'));
    if (action === 'json') return handlers.inspect(images, name);
    if (action === 'history') return handlers.history(images, name);
    if (action === 'get') return handlers.save(images, [name], reply);
    throw pageNotFound();
  });
  app.post('/images/*', async (request, reply) => {
    const { name, action } = split(pathPart(request, '*'));
    if (action === 'push') return handlers.push(images, name, request, reply);
    if (action === 'tag') return handlers.tag(images, name, request, reply);
    throw pageNotFound();
  });
  app.delete('/images/*', (request) => handlers.remove(images, pathPart(request, '*'), request));
}

function split(path: string): { name: string; action: string } {
  const slash = path.lastIndexOf('/');
  return { name: path.slice(0, Math.max(slash, 0)), action: path.slice(slash + 1) };
}

function pageNotFound(): Error {
  return notFound('page not found');
}
