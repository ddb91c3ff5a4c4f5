/** The network routes. */
import type { FastifyInstance } from 'fastify';
import type { NetworksBackend } from './backend.ts';
import * as handlers from './handlers.ts';

export function networkRoutes(app: FastifyInstance, networks: NetworksBackend): void {
  app.get('/networks', (request) => handlers.list(networks, request));
  app.get('/networks/:id', (request) => handlers.inspect(networks, request));
  app.post('/networks/create', (request, reply) => handlers.create(networks, request, reply));
  app.post('/networks/prune', (request) => handlers.prune(networks, request));
  app.post('/networks/:id/connect', (request) => handlers.connect(networks, request));
  app.post('/networks/:id/disconnect', (request) => handlers.disconnect(networks, request));
  app.delete('/networks/:id', (request, reply) => handlers.remove(networks, request, reply));
}
