/**
 * What Docker's API has no endpoint for. Same socket, same errors, our own documents: camel case,
 * units in names, and `null` to take a limit away (docs/api.md).
 */
import type { FastifyInstance } from 'fastify';
import type { ContainersBackend } from '../containers/backend.ts';
import { readJson } from '../json-body.ts';
import { pathPart, Query } from '../query.ts';
import type { SystemBackend } from '../system/backend.ts';
import type { PressureBackend } from './backend.ts';
import { readLimitsDocument } from './limits-document.ts';
import { pressureRoutes } from './pressure.ts';

export interface CortenSources {
  containers: ContainersBackend;
  system: SystemBackend;
  pressure: PressureBackend;
  productVersion: string;
}

export function cortenRoutes(
  app: FastifyInstance,
  { containers, system, pressure, productVersion }: CortenSources,
): void {
  app.get('/corten/v1/ping', async () => ({ name: 'corten', version: productVersion }));

  app.get('/corten/v1/containers/:id/limits', async (request) => {
    return containers.inspect(pathPart(request, 'id')).settings.limits;
  });

  app.get('/corten/v1/containers/:id/isolation', (request) =>
    containers.isolation(pathPart(request, 'id')),
  );

  app.get('/corten/v1/machine/processes', () => system.processes());

  app.post('/corten/v1/containers/:id/limits', async (request) => {
    const reference = pathPart(request, 'id');
    const limits = readLimitsDocument(await readJson(request));
    // A dry run answers what the change would, and leaves everything as it is.
    const dryRun = new Query(request).flag('dryRun');
    return await containers.update(reference, { limits, ...(dryRun && { dryRun }) });
  });

  pressureRoutes(app, pressure);
}
