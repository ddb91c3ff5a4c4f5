import type { ImagesBackend } from '../../api/images/backend.ts';
import type { EngineContext } from '../context.ts';
import { emitImageEvent } from '../emit-events.ts';
import { matchesLabels } from '../label-filter.ts';
import { usersOf } from './lookup.ts';

/** Removes images that no container uses: those without a name, or all of them. */
export async function pruneImages(
  context: Pick<EngineContext, 'images' | 'containers' | 'events'>,
  { danglingOnly, until, labels }: Parameters<ImagesBackend['prune']>[0],
): Promise<{ untagged: string[]; deleted: string[]; reclaimedBytes: number }> {
  const untagged: string[] = [];
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const { id, tags, createdAt, config } of context.images.list()) {
    if (danglingOnly && tags.length > 0) continue;
    if (usersOf(context, id).length > 0 || !matchesLabels(config.Labels ?? {}, labels)) continue;
    if (until !== undefined && createdAt !== undefined && createdAt > until) continue;
    for (const tag of tags) await context.images.untag(tag);
    untagged.push(...tags);
    // A container may have been created from it meanwhile, so the image stays without a name.
    if (usersOf(context, id).length > 0) continue;
    const result = await context.images.delete(id);
    deleted.push(...result.deleted);
    reclaimedBytes += result.reclaimedBytes;
    emitImageEvent(context.events, 'delete', id, id);
  }
  context.events.emit({
    type: 'image',
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(reclaimedBytes) },
  });
  return { untagged, deleted, reclaimedBytes };
}
