/** The volume routes. */
import type { FastifyInstance } from 'fastify';
import type { VolumesBackend } from './backend.ts';
import * as handlers from './handlers.ts';

export function volumeRoutes(app: FastifyInstance, volumes: VolumesBackend): void {
  app.get('/volumes', (request) => handlers.list(volumes, request));
  app.get('/volumes/:name', (request) => handlers.inspect(volumes, request));
  app.post('/volumes/create', (request, reply) => handlers.create(volumes, request, reply));
  app.post('/volumes/prune', (request) => handlers.prune(volumes, request));
  app.delete('/volumes/:name', (request, reply) => handlers.remove(volumes, request, reply));
}
