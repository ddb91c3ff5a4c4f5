/** A container without a limit of memory leaves to the others what they need (others-memory.ts). */
import type { EngineContext } from '../context.ts';

export function leaveToOthers(
  { containers, live, cgroups }: Pick<EngineContext, 'containers' | 'live' | 'cgroups'>,
  id: string,
  othersBytes: number,
): void {
  if (!cgroups.controllers.includes('memory')) return;
  if (containers.get(id)?.settings.limits.memory?.maxBytes) return;
  live.get(id)?.cgroup.leaveToOthers(othersBytes);
}
