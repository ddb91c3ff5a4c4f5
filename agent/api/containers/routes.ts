/** Container routes, with the paths of the Docker Engine API without a version. */
import type { FastifyInstance } from 'fastify';
import * as archive from './archive.ts';
import { attach, attachWebSocket } from './attach.ts';
import * as lifecycle from './lifecycle.ts';
import { logs } from './logs.ts';
import * as observe from './observe.ts';

export function containerRoutes(app: FastifyInstance, sources: observe.ObserveSources): void {
  const { containers } = sources;

  app.get('/containers/json', (request) => observe.list(sources, request));
  app.get('/containers/:id/json', (request) => observe.inspect(sources, request));
  app.get('/containers/:id/top', (request) => observe.top(sources, request));
  app.get('/containers/:id/changes', (request) => observe.changes(sources, request));
  app.get('/containers/:id/stats', (request, reply) => observe.stats(sources, request, reply));
  app.get('/containers/:id/logs', (request, reply) => logs(containers, request, reply));

  app.post('/containers/create', (request, reply) => lifecycle.create(containers, request, reply));
  app.post('/containers/prune', (request) => lifecycle.prune(containers, request));
  app.post('/containers/:id/start', (request, reply) =>
    lifecycle.start(containers, request, reply),
  );
  app.post('/containers/:id/stop', (request, reply) => lifecycle.stop(containers, request, reply));
  app.post('/containers/:id/restart', (request, reply) =>
    lifecycle.restart(containers, request, reply),
  );
  app.post('/containers/:id/kill', (request, reply) => lifecycle.kill(containers, request, reply));
  app.post('/containers/:id/pause', (request, reply) =>
    lifecycle.pause(containers, request, reply),
  );
  app.post('/containers/:id/unpause', (request, reply) =>
    lifecycle.unpause(containers, request, reply),
  );
  app.post('/containers/:id/rename', (request, reply) =>
    lifecycle.rename(containers, request, reply),
  );
  app.post('/containers/:id/update', (request) => lifecycle.update(containers, request));
  app.post('/containers/:id/resize', (request) => lifecycle.resize(containers, request));
  app.post('/containers/:id/wait', (request, reply) => lifecycle.wait(containers, request, reply));
  app.delete('/containers/:id', (request, reply) => lifecycle.remove(containers, request, reply));

  app.post('/containers/:id/attach', (request, reply) => attach(containers, request, reply));
  app.get('/containers/:id/attach/ws', (request, reply) =>
    attachWebSocket(containers, request, reply),
  );

  app.head('/containers/:id/archive', (request, reply) =>
    archive.statArchive(containers, request, reply),
  );
  app.get('/containers/:id/archive', (request, reply) =>
    archive.readArchive(containers, request, reply),
  );
  app.put('/containers/:id/archive', (request) => archive.writeArchive(containers, request));
  app.get('/containers/:id/export', (request, reply) =>
    archive.exportRoot(containers, request, reply),
  );
}
