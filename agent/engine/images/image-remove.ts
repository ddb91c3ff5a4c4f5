/** `docker rmi`: removes a name, and the image itself with its last name. */
import { CortenError, conflict } from '../../errors.ts';
import type { StoredImage } from '../../images/store.ts';
import type { EngineContext } from '../context.ts';
import { emitImageEvent } from '../emit-events.ts';
import { shortId } from '../ids.ts';
import { requireImage, usersOf } from './lookup.ts';

type RemoveContext = Pick<EngineContext, 'images' | 'containers' | 'live' | 'events'>;

export async function removeImage(
  context: RemoveContext,
  reference: string,
  { force }: { force: boolean; prune: boolean },
): Promise<{ untagged: string[]; deleted: string[] }> {
  const image = requireImage(context, reference);
  const byId = isIdOf(image, reference);
  if (!byId && image.tags.length > 1)
    return { untagged: await untag(context, image, [nameOf(image, reference)]), deleted: [] };
  if (byId && image.tags.length > 1 && !force)
    throw conflict(
      `conflict: unable to delete ${shortDigest(image.id)} (must be forced) - image is referenced in multiple repositories`,
    );
  refuseInUse(context, image, reference, force);
  const untagged = await untag(context, image, image.tags);
  // Stopped containers need their layers, so the image stays without a name.
  if (usersOf(context, image.id).length > 0) return { untagged, deleted: [] };
  const { deleted } = await context.images.delete(image.id);
  emitImageEvent(context.events, 'delete', image.id, image.id);
  return { untagged, deleted };
}

async function untag(
  { images, events }: RemoveContext,
  image: StoredImage,
  names: readonly string[],
): Promise<string[]> {
  for (const name of names) {
    await images.untag(name);
    emitImageEvent(events, 'untag', image.id, image.id);
  }
  return [...names];
}

function refuseInUse(
  context: RemoveContext,
  image: StoredImage,
  reference: string,
  force: boolean,
): void {
  const users = usersOf(context, image.id);
  const running = users.find(({ id }) => context.live.get(id) !== undefined);
  const named = isIdOf(image, reference)
    ? `unable to delete ${shortDigest(image.id)}`
    : `unable to remove repository reference "${reference}"`;
  if (running !== undefined)
    throw conflict(
      `conflict: ${named} (cannot be forced) - image is being used by running container ${shortId(running.id)}`,
    );
  const stopped = users[0];
  if (stopped !== undefined && !force)
    throw conflict(
      `conflict: ${named} (must force) - container ${shortId(stopped.id)} is using its referenced image ${shortDigest(image.id)}`,
    );
}

function isIdOf({ id }: StoredImage, reference: string): boolean {
  return id.startsWith(`sha256:${reference.replace(/^sha256:/, '')}`);
}

/** The tag that the reference means. The store found the image by it, so there is one. */
function nameOf({ id, tags }: StoredImage, reference: string): string {
  const last = reference.slice(reference.lastIndexOf('/') + 1);
  const full = last.includes(':') ? reference : `${reference}:latest`;
  const name = tags.find((tag) => tag === full || tag.endsWith(`/${full}`));
  if (name === undefined)
    throw new CortenError(
      'not-found',
      `${reference} names image ${shortDigest(id)} by its digest only, and the image has other names. Remove those, or remove it by id with force.`,
    );
  return name;
}

const shortDigest = (id: string) => shortId(id.replace(/^sha256:/, ''));
