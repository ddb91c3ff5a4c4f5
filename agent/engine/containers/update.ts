/** `docker update`: limits and restart policy, on a running container at once. */
import { availableParallelism } from 'node:os';
import type { RestartPolicy } from '../../contract/container.ts';
import type { DiskLimits, Limits } from '../../contract/limits.ts';
import { conflict, invalid } from '../../errors.ts';
import { announceContainer } from '../announce.ts';
import type { EngineContext } from '../context.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { updateLayer } from './layer.ts';
import { checkLimits, mergedLimits } from './limit-checks.ts';

export async function updateContainer(
  context: EngineContext,
  reference: string,
  change: { limits: Limits; restart?: RestartPolicy },
): Promise<{ warnings: string[] }> {
  const { id } = context.containers.find(reference);
  return context.locks.run(id, () => {
    const before = context.containers.require(id);
    const { settings, state } = before;
    if (state.status === 'removing' || state.status === 'dead')
      throw conflict(
        `Cannot update container ${id}: Container is marked for removal and cannot be "update".`,
      );
    if (change.restart !== undefined && settings.autoRemove && change.restart.name !== 'no')
      throw invalid(
        'Restart policy cannot be updated because AutoRemove is enabled for the container',
      );
    const limits = mergedLimits(settings.limits, change.limits);
    refuseSwapBelow(settings.limits, change.limits);
    checkLimits(limits, availableParallelism());
    // The kernel first: what it refuses must not be what we remember.
    if (change.limits.disk !== undefined) updateLayer(context, before, limits.disk ?? {});
    try {
      context.live.get(id)?.cgroup.update(change.limits);
    } catch (error) {
      if (change.limits.disk !== undefined) undoLayer(context, before, limits.disk ?? {});
      throw error;
    }
    const record = context.containers.setDefinition(id, {
      settings: { ...settings, limits, restart: change.restart ?? settings.restart },
    });
    announceContainer(context.events, record, 'update');
    return { warnings: [] };
  });
}

/** Best effort: the failure that made us undo is the one that its caller needs to hear about. */
function undoLayer(context: EngineContext, before: ContainerRecord, changed: DiskLimits): void {
  const { limits } = before.settings;
  const current = { ...before, settings: { ...before.settings, limits: { disk: changed } } };
  try {
    updateLayer(context, current, limits.disk ?? {});
  } catch (error) {
    context.report(`take the disk limit of ${before.name} back`, error);
  }
}

function refuseSwapBelow(before: Limits, { memory }: Limits): void {
  const swap = before.memory?.maxWithSwapBytes;
  if (typeof memory?.maxBytes !== 'number' || memory.maxWithSwapBytes !== undefined) return;
  if (typeof swap === 'number' && swap > 0 && memory.maxBytes > swap)
    throw invalid(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
}
