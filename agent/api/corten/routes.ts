/**
 * Routes that Docker's API lacks. They share its socket and its errors; the documents use camel case, units in names,
 * and `null` to remove a limit (docs/api.md).
 */
import type { FastifyInstance } from 'fastify';
import type { Limits, SpaceUsage } from '../../contract/limits.ts';
import type { ContainersBackend } from '../containers/backend.ts';
import type { ImagesBackend } from '../images/backend.ts';
import { readJson } from '../json-body.ts';
import { pathPart, Query } from '../query.ts';
import type { SystemBackend } from '../system/backend.ts';
import type { VolumesBackend, VolumeView } from '../volumes/backend.ts';
import type { PressureBackend } from './backend.ts';
import { imageLayerRoutes } from './image-layers.ts';
import { readLimitsDocument, readVolumeLimitsDocument } from './limits-document.ts';
import { pressureRoutes } from './pressure.ts';

export interface CortenSources {
  containers: ContainersBackend;
  images: ImagesBackend;
  system: SystemBackend;
  pressure: PressureBackend;
  volumes: VolumesBackend;
  productVersion: string;
}

export function cortenRoutes(
  app: FastifyInstance,
  { containers, images, system, pressure, volumes, productVersion }: CortenSources,
): void {
  app.get('/corten/v1/ping', async () => ({ name: 'corten', version: productVersion }));

  app.get('/corten/v1/containers/:id/limits', async (request) => {
    return containers.inspect(pathPart(request, 'id')).settings.limits;
  });

  app.get('/corten/v1/containers/:id/isolation', (request) =>
    containers.isolation(pathPart(request, 'id')),
  );

  app.get('/corten/v1/machine/processes', () => system.processes());

  app.get('/corten/v1/machine/proxies', async () => system.proxies());

  app.put('/corten/v1/machine/proxies', async (request) => {
    const fields = await readJson(request);
    system.setProxies({
      http: fields.filled('http'),
      https: fields.filled('https'),
      noProxy: fields.filled('noProxy'),
      containers: fields.flag('containers') ?? false,
    });
    return system.proxies();
  });
  app.get('/corten/v1/machine/abilities', async () => system.abilities());

  app.post('/corten/v1/containers/:id/limits', async (request) => {
    const reference = pathPart(request, 'id');
    const limits = readLimitsDocument(await readJson(request));
    // A dry run answers as the change would, but changes nothing.
    const dryRun = new Query(request).flag('dryRun');
    return await containers.update(reference, { limits, ...(dryRun && { dryRun }) });
  });

  pressureRoutes(app, pressure);
  imageLayerRoutes(app, images);
  app.get('/corten/v1/containers/:id/disk', async (request) =>
    diskDocument(await containers.diskUsage(pathPart(request, 'id'))),
  );

  app.get('/corten/v1/volumes/:name/limits', async (request) =>
    volumeLimits(volumes.inspect(pathPart(request, 'name'))),
  );

  app.post('/corten/v1/volumes/:name/limits', async (request) => {
    const { disk } = readVolumeLimitsDocument(await readJson(request));
    const dryRun = new Query(request).flag('dryRun') ?? false;
    const name = pathPart(request, 'name');
    const { volume, warnings } = await volumes.updateLimits(name, disk ?? {}, dryRun);
    return { limits: volumeLimits(volume), warnings };
  });

  app.get('/corten/v1/volumes/:name/disk', async (request) =>
    diskDocument(await volumes.diskUsage(pathPart(request, 'name'))),
  );
}

function volumeLimits({ limits }: VolumeView): Pick<Limits, 'disk'> {
  return limits === undefined || Object.keys(limits).length === 0 ? {} : { disk: limits };
}

/** Document of disk use; `null` when no quota counts or limits it. */
function diskDocument(usage: SpaceUsage | undefined): object {
  return {
    usedBytes: usage?.usedBytes ?? null,
    maxBytes: usage?.maxBytes ?? null,
    usedInodes: usage?.usedInodes ?? null,
    maxInodes: usage?.maxInodes ?? null,
    inodesAreFixed: usage?.inodesAreFixed ?? false,
  };
}
