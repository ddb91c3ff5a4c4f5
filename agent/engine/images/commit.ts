/** New images from a container's changes or from an exported root. */

import type { ImagesBackend } from '../../api/images/backend.ts';
import type { Progress } from '../../contract/image.ts';
import { CortenError, conflict } from '../../errors.ts';
import { withLayer } from '../containers/layer.ts';
import { pauseContainer, unpauseContainer } from '../containers/pause.ts';
import { type EngineContext, reporter } from '../context.ts';
import { emitContainerEvent, emitImageEvent } from '../emit-events.ts';
import type { ContainerFiles } from '../files/container-files.ts';
import { completed, configOfContainer } from './committed-config.ts';
import { withChanges } from './image-changes.ts';

/** `docker import`: makes an image with a single layer. */
export async function* importRoot(
  { images, events }: Pick<EngineContext, 'images' | 'events'>,
  request: Parameters<ImagesBackend['importRoot']>[0],
): AsyncIterable<Progress> {
  const config = withChanges({}, request.changes);
  // `docker import - web:2` sends the whole name as the repository.
  const name = nameOf(request);
  const id = await images.commitLayer({
    layer: request.archive,
    config: { ...config },
    history: { createdBy: '', comment: request.message ?? 'Imported from -' },
    ...(name !== undefined && { name }),
  });
  emitImageEvent(events, 'import', id, name ?? id);
  yield { status: id };
}

/**
 * `docker commit`: adds the writable layer to the container's image. A running container is paused
 * meanwhile, so that its files are consistent.
 */
export async function commitContainer(
  context: EngineContext,
  files: Pick<ContainerFiles, 'layerArchive'>,
  request: Parameters<ImagesBackend['commit']>[0],
): Promise<string> {
  const { images, events, proxies } = context;
  const record = context.containers.find(request.container);
  const { id: container, imageId, state } = record;
  if (state.status === 'dead' || state.status === 'removing')
    throw conflict(`You cannot commit container ${container} which is ${state.status}`);
  const image = images.find(imageId);
  if (image === undefined)
    throw conflict(
      `The image of container ${container} has been removed, and an image needs what it began with: export its root with \`docker export\` and read it in with \`docker import\`.`,
    );
  const own = configOfContainer(record, image.config, proxies.environment());
  const config = completed(withChanges(request.config ?? own, request.changes), own);
  const name = nameOf(request);
  const resume = request.pause ? await standStill(context, container) : undefined;
  try {
    const id = await withLayer(context, record, async (rootfs) =>
      images.commitLayer({
        parent: imageId,
        layer: await files.layerArchive({ rootfs }),
        config: { ...config },
        history: {
          createdBy: record.settings.args?.join(' ') ?? '',
          ...(request.comment && { comment: request.comment }),
          ...(request.author && { author: request.author }),
        },
        ...(name !== undefined && { name }),
      }),
    );
    if (name !== undefined) emitImageEvent(events, 'tag', id, name);
    emitContainerEvent(events, record, 'commit', {
      comment: request.comment ?? '',
      imageID: id,
      imageRef: name ?? '',
    });
    return id;
  } finally {
    await resume?.();
  }
}

function nameOf({ repository, tag }: { repository?: string; tag?: string }): string | undefined {
  if (!repository) return undefined;
  return tag ? `${repository}:${tag}` : repository;
}

/**
 * Pauses the container and returns a function that unpauses it. Returns undefined when it does not
 * run or is paused already.
 */
async function standStill(
  context: EngineContext,
  container: string,
): Promise<(() => Promise<void>) | undefined> {
  if (context.containers.require(container).state.status !== 'running') return undefined;
  try {
    await pauseContainer(context, container);
  } catch (error) {
    // The machine has no freezer cgroup, or the container has just ended.
    if (!(error instanceof CortenError)) throw error;
    throw new CortenError(
      error.kind,
      `${error.message} Commit it as it runs (docker commit --pause=false), or stop it before.`,
      { cause: error },
    );
  }
  return () =>
    // The container has ended, or another request has unpaused it.
    unpauseContainer(context, container).catch(reporter(context, 'go on after a commit'));
}
