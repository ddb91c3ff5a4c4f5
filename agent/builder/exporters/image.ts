/**
 * `type=image`, which clients of the docker driver call `moby`: into the engine's store, where images have the id of
 * their configuration. Attestations are left out, as dockerd does, whose store has no place for them either. A client of
 * `moby` pushes by itself afterwards.
 */
import { CortenError, invalid } from '../../errors.ts';
import type { ImageStore } from '../../images/store.ts';
import { type Assembled, assemble } from './assemble.ts';
import type { Exporter, ExportRequest } from './exporter.ts';
import type { LayerParts } from './layers.ts';
import { flag, type ImageOptions, readImageOptions } from './options.ts';
import { type ExportProgress, exporting } from './progress.ts';

export interface ImageExporterParts extends LayerParts {
  store: Pick<ImageStore, 'push' | 'find'>;
  /** Tells the engine's events of a name that was given. */
  onTag(id: string, name: string): void;
}

export function imageExporter(
  parts: ImageExporterParts,
  { pushes }: { pushes: boolean },
): Exporter {
  return (request) =>
    exporting(request.job, 'exporting to image', async (progress) => {
      const options = readImageOptions(request.attributes, request.result);
      const isPushed = pushes && (flag(request.attributes, 'push') ?? false);
      refuseUnserved(request, options, isPushed);
      const assembled = await assemble(parts, request, options, progress);
      try {
        const answer = await addToStore(parts, assembled, options, progress);
        if (isPushed) await pushAll(parts, request, options.names, progress, answer);
        return answer;
      } finally {
        assembled.release();
      }
    });
}

function refuseUnserved(
  { attributes }: ExportRequest,
  { names }: ImageOptions,
  isPushed: boolean,
): void {
  if (isPushed && names.length === 0) throw invalid('tag is needed when pushing to registry');
  if (isPushed && flag(attributes, 'push-by-digest'))
    throw new CortenError('not-implemented', 'push-by-digest is not supported: push with a tag');
  if (flag(attributes, 'store') === false)
    throw new CortenError(
      'not-implemented',
      'store=false is not supported: images are always put into the store',
    );
}

async function addToStore(
  parts: ImageExporterParts,
  { images, isIndex }: Assembled,
  options: ImageOptions,
  progress: ExportProgress,
): Promise<Record<string, string>> {
  const { names, annotations } = options;
  const added = await progress.during('writing image', () =>
    parts.images.addImage({
      images,
      names,
      ...(isIndex && {
        index: {
          annotations: Object.fromEntries(
            annotations
              .filter(({ place }) => place === 'index')
              .map(({ key, value }) => [key, value]),
          ),
        },
      }),
    }),
  );
  for (const name of names) {
    await progress.during(`naming to ${name}`, async () => parts.onTag(added.id, name));
  }
  return {
    // As dockerd's own store has it: an image is known by its configuration.
    'containerimage.digest': added.id,
    'containerimage.config.digest': added.id,
    'containerimage.descriptor': Buffer.from(JSON.stringify(added.descriptor)).toString('base64'),
    ...(names.length > 0 && { 'image.name': names.join(',') }),
  };
}

async function pushAll(
  { store }: ImageExporterParts,
  { job }: ExportRequest,
  names: readonly string[],
  progress: ExportProgress,
  answer: Record<string, string>,
): Promise<void> {
  for (const name of names)
    await progress.during(`pushing ${name}`, async () => {
      const credentials = await job.client.credentials(name.slice(0, name.indexOf('/')));
      const lines = store.push({
        reference: name,
        signal: job.signal,
        ...(credentials && { credentials }),
      });
      for await (const { error, aux } of lines) {
        if (error !== undefined) throw new CortenError('internal', error);
        if (typeof aux?.Digest === 'string') answer['containerimage.digest'] = aux.Digest;
      }
    });
}
