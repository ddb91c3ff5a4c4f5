/**
 * What the container that has the most memory leaves to the others, if it has no limit of its own
 * (docs/decisions/0019): what they have and cannot give back.
 */
import type { Usage } from '../../contract/limits.ts';
import type { EngineContext } from '../context.ts';

/** What changes by less is no reason to write anew. */
const stepBytes = 64 * 1024 ** 2;

/** What all but the greatest of them need, in steps, rounded up. */
export function needOfOthers(containers: readonly Usage[]): number {
  const needs = containers.map(need);
  const sum = needs.reduce((total, bytes) => total + bytes, 0);
  return Math.ceil((sum - Math.max(0, ...needs)) / stepBytes) * stepBytes;
}

/** Without what the kernel takes back as it needs it. Of its own, v1 tells only the pages of files. */
function need({ memory: { usageBytes, stat } }: Usage): number {
  const { inactive_file = 0, active_file = 0, slab_reclaimable = 0 } = stat;
  return Math.max(0, usageBytes - inactive_file - active_file - slab_reclaimable);
}

export function leaveToOthers(
  { containers, live, cgroups }: Pick<EngineContext, 'containers' | 'live' | 'cgroups'>,
  id: string,
  othersBytes: number,
): void {
  if (!cgroups.controllers.includes('memory')) return;
  if (containers.get(id)?.settings.limits.memory?.maxBytes) return;
  live.get(id)?.cgroup.leaveToOthers(othersBytes);
}
