/** The shares of the processors that a container's precedence (precedence.ts) means. */
import type { EngineContext } from '../context.ts';
import type { Precedence } from './precedence.ts';

/** The least that the kernel has (sched_group_set_shares). */
const leastShares = 2;
/** Eight times the default. */
const sharesAhead = 8192;

export function setPrecedence(
  { containers, live, cgroups }: Pick<EngineContext, 'containers' | 'live' | 'cgroups'>,
  id: string,
  precedence: Precedence,
): void {
  if (!cgroups.controllers.includes('cpu')) return;
  const own = containers.get(id)?.settings.limits.cpu?.shares ?? null;
  const shares = { behind: leastShares, own, ahead: own ?? sharesAhead }[precedence];
  live.get(id)?.cgroup.update({ cpu: { shares } });
}
