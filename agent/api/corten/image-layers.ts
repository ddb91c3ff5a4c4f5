/** Routes of an image's layers: which instruction made each, and the files in it. */
import type { FastifyInstance } from 'fastify';
import type { ImageLayerDocument } from '../../contract/image.ts';
import { invalid, notFound } from '../../errors.ts';
import type { ImagesBackend } from '../images/backend.ts';
import { pathPart, Query } from '../query.ts';

const mostFiles = 500;

/** A name may contain slashes, so the path is taken apart from its end. */
export function imageLayerRoutes(app: FastifyInstance, images: ImagesBackend): void {
  app.get('/corten/v1/images/*', async (request) => {
    const path = pathPart(request, '*');
    const all = /^(?<name>.+)\/layers$/.exec(path)?.groups;
    if (all?.name !== undefined) return layers(images, all.name);
    const one = /^(?<name>.+)\/layers\/(?<diffId>sha256:[0-9a-f]{64})\/files$/.exec(path)?.groups;
    if (one?.name === undefined || one.diffId === undefined) throw notFound('page not found');
    const query = new Query(request);
    const limit = query.integer('limit') ?? mostFiles;
    if (limit < 1 || limit > mostFiles)
      throw invalid(`bad parameter: "limit" must be from 1 to ${mostFiles}, not ${limit}`);
    const where = { path: query.text('path') ?? '/', after: query.text('after') ?? '', limit };
    return images.layerFiles(one.name, one.diffId, where);
  });
}

function layers(images: ImagesBackend, name: string): ImageLayerDocument[] {
  const entries = images.history(name).toReversed();
  const told = entries.map(({ createdBy, comment, createdAt, sizeBytes, diffId }) => ({
    createdBy,
    comment,
    ...(createdAt !== undefined && { createdAt: createdAt.toISOString() }),
    sizeBytes,
    ...(diffId !== undefined && { diffId }),
  }));
  // The history is optional (OCI config.md): layers that it does not reach have no instruction.
  const known = new Set(entries.map(({ diffId }) => diffId));
  const rest = images.inspect(name).diffIds.filter((diffId) => !known.has(diffId));
  return [...told, ...rest.map((diffId) => ({ createdBy: '', comment: '', diffId }))];
}
