/**
 * `docker update`: changes limits and the restart policy, of a running container at once. A dry run
 * only returns the result and its warnings.
 */
import { availableParallelism } from 'node:os';
import type { RestartPolicy } from '../../contract/container.ts';
import type { DiskLimits, Limits } from '../../contract/limits.ts';
import { conflict, invalid } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { applyLimits, checkReach } from './apply-limits.ts';
import { checkLayer, layerUsage, updateLayer } from './layer.ts';
import { checkLimits } from './limit-checks.ts';
import { factsFor, limitWarnings } from './limit-warnings.ts';
import { mergedLimits, withFittingBurst } from './merge-limits.ts';
import { networkRates } from './usage.ts';

export async function updateContainer(
  context: EngineContext,
  reference: string,
  change: { limits: Limits; restart?: RestartPolicy; dryRun?: boolean },
): Promise<{ limits: Limits; warnings: string[] }> {
  const { id } = context.containers.find(reference);
  return context.locks.run(id, async () => {
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
    const wanted = withFittingBurst(settings.limits, change.limits);
    const limits = mergedLimits(settings.limits, wanted);
    refuseSwapBelow(settings.limits, wanted);
    checkLimits(limits, availableParallelism);
    checkReach(before, wanted);
    context.cgroups.check(wanted);
    const live = context.live.get(id);
    const warnings = limitWarnings(limits, wanted, {
      ...factsFor(wanted, before, live),
      disk: wanted.disk && layerUsage(context, before),
      latest: live && context.pressure.find(id)?.latest,
      network: live && limitsRates(wanted) ? await networkRates(live.process.pid) : undefined,
    });
    if (change.dryRun) {
      if (wanted.disk !== undefined) checkLayer(context, before, limits.disk ?? {});
      return { limits, warnings };
    }
    // The kernel is changed first, so that a limit that it refuses is not recorded.
    if (wanted.disk !== undefined) updateLayer(context, before, limits.disk ?? {});
    try {
      if (live !== undefined) await applyLimits(context, before, live, wanted);
    } catch (error) {
      if (wanted.disk !== undefined) undoLayer(context, before, limits.disk ?? {});
      throw error;
    }
    const record = context.containers.setDefinition(id, {
      settings: { ...settings, limits, restart: change.restart ?? settings.restart },
    });
    emitContainerEvent(context.events, record, 'update');
    return { limits, warnings };
  });
}

const limitsRates = ({ network = {} }: Limits) =>
  Object.values(network).some((rate) => typeof rate === 'number');

/**
 * Reverts the disk limit. Its own failure is only reported, because the caller needs the first one.
 */
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
