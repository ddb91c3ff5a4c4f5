/** What a fork bomb (fork-bomb.ts) has of the processors: what the other containers leave. */
import type { EngineContext } from '../context.ts';

/** The least that the kernel has (sched_group_set_shares). */
const leastShares = 2;

export function giveWay(
  { containers, live, cgroups }: Pick<EngineContext, 'containers' | 'live' | 'cgroups'>,
  id: string,
  givesWay: boolean,
): void {
  if (!cgroups.controllers.includes('cpu')) return;
  const own = containers.get(id)?.settings.limits.cpu?.shares ?? null;
  live.get(id)?.cgroup.update({ cpu: { shares: givesWay ? leastShares : own } });
}
