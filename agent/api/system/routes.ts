/** Routes about the engine as a whole, and polite answers for what it does not do. */
import type { FastifyInstance } from 'fastify';
import { CortenError } from '../../errors.ts';
import { diskUsage } from './disk-usage.ts';
import { events } from './events.ts';
import * as handlers from './handlers.ts';
import type { SystemSources } from './sources.ts';

export function systemRoutes(app: FastifyInstance, sources: SystemSources): void {
  app.get('/_ping', (_request, reply) => handlers.ping(sources, reply));
  app.head('/_ping', (_request, reply) => handlers.ping(sources, reply));
  app.get('/version', (_request, reply) => handlers.version(sources, reply));
  app.get('/info', () => handlers.info(sources));
  app.get('/events', (request, reply) => events(sources.system, request, reply));
  app.get('/system/df', (request) => diskUsage(sources, request));
  // Test suites read the plugins first and stop when that fails.
  app.get('/plugins', async () => []);
}

/** Not ours: swarms, and building, which is not served yet. */
export function unservedRoutes(app: FastifyInstance): void {
  for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs']) {
    app.all(path, noSwarm);
    app.all(`${path}/*`, noSwarm);
  }
  app.post('/build', () => {
    throw new CortenError(
      'not-implemented',
      'building images is not supported yet: build elsewhere, then docker load the archive or pull from a registry',
    );
  });
  app.post('/build/prune', async () => ({ CachesDeleted: null, SpaceReclaimed: 0 }));
}

function noSwarm(): never {
  throw new CortenError(
    'unavailable',
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}
