/** Exec routes: further processes in a running container. */
import type { FastifyInstance } from 'fastify';
import type { ExecBackend } from './backend.ts';
import * as handlers from './handlers.ts';

export function execRoutes(app: FastifyInstance, exec: ExecBackend): void {
  app.post('/containers/:id/exec', (request, reply) => handlers.create(exec, request, reply));
  app.post('/exec/:id/start', (request, reply) => handlers.start(exec, request, reply));
  app.post('/exec/:id/resize', (request) => handlers.resize(exec, request));
  app.get('/exec/:id/json', (request) => handlers.inspect(exec, request));
}
