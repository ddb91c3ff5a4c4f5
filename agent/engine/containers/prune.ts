import type { LabelFilter } from '../../api/containers/backend.ts';
import { allows } from '../../contract/container.ts';
import type { EngineContext } from '../context.ts';
import { directoryBytes } from '../files/directory-size.ts';
import { matchesLabels } from '../label-filter.ts';
import { removeContainer } from './remove.ts';

/** Removes every container that does not run and passes the filter. */
export async function pruneContainers(
  context: EngineContext,
  { until, labels }: { until?: Date; labels: LabelFilter[] },
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const { id, state, createdAt, settings, rootfs } of context.containers.all()) {
    if (!allows('remove', state.status) || !matchesLabels(settings.labels, labels)) continue;
    if (until !== undefined && createdAt > until) continue;
    const bytes = await directoryBytes(rootfs.upper);
    try {
      await removeContainer(context, id, { force: false, volumes: false });
    } catch (error) {
      // Started since we looked: it is in use, and stays.
      context.report(`prune ${id}`, error);
      continue;
    }
    deleted.push(id);
    reclaimedBytes += bytes;
  }
  context.events.emit({
    type: 'container',
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(reclaimedBytes) },
  });
  return { deleted, reclaimedBytes };
}
