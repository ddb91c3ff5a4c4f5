/** New images: from a container's changes, and from a root that was exported elsewhere. */
import type { ImagesBackend, Progress } from '../../api/images/backend.ts';
import { CortenError } from '../../errors.ts';
import { announceImage } from '../announce.ts';
import type { EngineContext } from '../context.ts';

/** `docker import`: one layer with nothing below. */
export async function* importRoot(
  { images, events }: Pick<EngineContext, 'images' | 'events'>,
  request: Parameters<ImagesBackend['importRoot']>[0],
): AsyncIterable<Progress> {
  refuseChanges(request.changes);
  // `docker import - web:2` sends the whole name as the repository.
  const name = request.tag ? `${request.repository}:${request.tag}` : request.repository;
  const id = await images.commitLayer({
    layer: request.archive,
    config: {},
    history: { createdBy: '', comment: request.message ?? 'Imported from -' },
    ...(name !== undefined && { name }),
  });
  announceImage(events, 'import', id, name ?? id);
  yield { status: id };
}

/** `docker commit`. */
export async function commitContainer(
  context: Pick<EngineContext, 'containers'>,
  request: Parameters<ImagesBackend['commit']>[0],
): Promise<string> {
  const { name } = context.containers.find(request.container);
  throw new CortenError(
    'not-implemented',
    `Making an image from container ${name} is not supported yet. Export its root with \`docker export\` and read it in with \`docker import\`.`,
  );
}

function refuseChanges(changes: readonly string[]): void {
  if (changes.length === 0) return;
  throw new CortenError(
    'not-implemented',
    'Dockerfile instructions (--change) are not supported yet when an image is imported: give them when a container is created.',
  );
}
