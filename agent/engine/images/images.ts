/** The images API: the image store, who uses an image, and the events. */
import type { Readable } from 'node:stream';
import type { ImagesBackend } from '../../api/images/backend.ts';
import type { ImageView, Progress } from '../../contract/image.ts';
import { notFound } from '../../errors.ts';
import type { StoredImage } from '../../images/store.ts';
import type { EngineContext } from '../context.ts';
import { emitImageEvent } from '../emit-events.ts';
import type { ContainerFiles } from '../files/container-files.ts';
import { commitContainer, importRoot } from './commit.ts';
import { pruneImages } from './image-prune.ts';
import { removeImage } from './image-remove.ts';
import { layerFiles } from './layer-files.ts';
import { requireImage, usersOf } from './lookup.ts';

export function createImagesBackend(
  context: EngineContext,
  files: Pick<ContainerFiles, 'layerArchive'>,
): ImagesBackend {
  const { images, events } = context;
  return {
    list: () => images.list().map((image) => viewOf(context, image)),
    inspect: (reference) => viewOf(context, requireImage(context, reference)),
    history: (reference) => images.history(requireImage(context, reference).id),
    layerFiles: (reference, diffId, request) => {
      const { diffIds, lowers } = requireImage(context, reference);
      const directory = lowers.toReversed()[diffIds.indexOf(diffId)];
      if (directory === undefined) throw notFound(`${reference} has no layer ${diffId}`);
      return layerFiles(directory, request);
    },
    pull: (request) =>
      emittingAtEnd(images.pull(request), () =>
        emitImageEvent(events, 'pull', request.reference, request.reference),
      ),
    push: (request) =>
      emittingAtEnd(images.push(request), () =>
        emitImageEvent(events, 'push', request.reference, request.reference),
      ),
    tag: async (reference, target) => {
      const { id } = requireImage(context, reference);
      await images.tag(id, target);
      emitImageEvent(events, 'tag', id, target);
    },
    remove: (reference, options) => removeImage(context, reference, options),
    load: (archive) => loadImages(context, archive),
    save: (references) => images.save(references),
    importRoot: (request) => importRoot(context, request),
    commit: (request) => commitContainer(context, files, request),
    prune: (filter) => pruneImages(context, filter),
    login: (credentials) => images.login(credentials),
  };
}

function viewOf(context: Pick<EngineContext, 'containers'>, image: StoredImage): ImageView {
  return { ...image, containers: usersOf(context, image.id).length };
}

/** Passes the progress on and emits the event when it ends without a failure. */
async function* emittingAtEnd(
  source: AsyncIterable<Progress>,
  emit: () => void,
): AsyncIterable<Progress> {
  let failed = false;
  for await (const progress of source) {
    if (progress.error !== undefined) failed = true;
    yield progress;
  }
  if (!failed) emit();
}

async function* loadImages(
  { images, events }: EngineContext,
  archive: Readable,
): AsyncIterable<Progress> {
  const before = new Set(
    images.list().flatMap(({ id, tags }) => tags.map((tag) => `${id} ${tag}`)),
  );
  yield* images.load(archive);
  for (const { id, tags } of images.list())
    for (const tag of tags)
      if (!before.has(`${id} ${tag}`)) emitImageEvent(events, 'load', id, tag);
}
