/**
 * Applies a change of limits to a running container: its cgroup, network rates, open files and log.
 */
import type { Limits } from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';
import { type EngineContext, reporter } from '../context.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { logPlan } from './launch-plan.ts';
import { mergedLimits, revertingChange } from './merge-limits.ts';
import { fileLimitOf, limitOpenFiles } from './open-files.ts';
import type { RunningContainer } from './running-containers.ts';

/**
 * Applies all of the change or none of it: when the kernel refuses a part, the parts already
 * applied are reverted. Throws what was refused.
 */
export async function applyLimits(
  context: Pick<EngineContext, 'network' | 'report'>,
  record: ContainerRecord,
  live: RunningContainer,
  change: Limits,
): Promise<void> {
  try {
    await apply(context, record, live, change);
  } catch (error) {
    const back = revertingChange(record.settings.limits, change);
    await apply(context, record, live, back).catch(
      reporter(context, `take a refused change of ${record.name}'s limits back`),
    );
    throw error;
  }
}

async function apply(
  { network }: Pick<EngineContext, 'network'>,
  { settings, networks, logDirectory }: ContainerRecord,
  live: RunningContainer,
  change: Limits,
): Promise<void> {
  const limits = mergedLimits(settings.limits, change);
  live.cgroup.update(change);
  if (change.network !== undefined)
    for (const endpoint of networks) await network.limitRates(endpoint, limits.network ?? {});
  if (change.openFiles !== undefined)
    limitOpenFiles(live, fileLimitOf({ limits, ulimits: settings.ulimits }));
  if (change.log !== undefined)
    live.process.limitLog(logPlan({ log: settings.log, limits }, logDirectory));
}

/** Throws invalid for a limit on something that this container does not have. */
export function checkReach({ settings }: ContainerRecord, { network, log }: Limits): void {
  const { mode } = settings.network;
  const rates = Object.values(network ?? {}).some((rate) => typeof rate === 'number');
  if (rates && mode === 'host')
    throw invalid(
      "The container uses the machine's own network, whose rate is not its to limit: run it on a network of its own (--network bridge).",
    );
  if (rates && typeof mode === 'object' && 'container' in mode)
    throw invalid(
      `The container uses the network of ${mode.container}: limit the rate of that one.`,
    );
  if (log !== undefined && settings.log.driver === 'none')
    throw invalid(
      'The container keeps no log (log driver none), so there is none to limit: create it again with another driver.',
    );
}
