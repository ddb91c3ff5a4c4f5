import type { LabelFilter } from '../../api/containers/backend.ts';
import { allows } from '../../contract/container.ts';
import type { EngineContext } from '../context.ts';
import { layerBytes } from '../files/container-size.ts';
import { matchesLabels } from '../label-filter.ts';
import { removeContainer } from './remove.ts';

/** Removes every container that does not run and passes the filter. */
export async function pruneContainers(
  context: EngineContext,
  { until, labels }: { until?: Date; labels: LabelFilter[] },
): Promise<{ deleted: string[]; reclaimedBytes: number }> {
  const deleted: string[] = [];
  let reclaimedBytes = 0;
  for (const record of context.containers.all()) {
    const { id, state, createdAt, settings } = record;
    if (!allows('remove', state.status) || !matchesLabels(settings.labels, labels)) continue;
    if (until !== undefined && createdAt > until) continue;
    const bytes = await layerBytes(context, record);
    try {
      await removeContainer(context, id, { force: false, volumes: false });
    } catch (error) {
      // Somebody has started the container meanwhile, so it stays.
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
