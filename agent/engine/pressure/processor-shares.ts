/** What a container's precedence (precedence.ts) means for its limits of the processors. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { type CpuLimits, defaultPeriodMicros } from '../../contract/limits.ts';
import { hasErrno } from '../../kernel/libc.ts';
import type { EngineContext } from '../context.ts';
import type { Precedence } from './precedence.ts';

/** The least that the kernel has (sched_group_set_shares). */
const leastShares = 2;
/** Eight times the default. */
const sharesAhead = 8192;
/** Of one processor. */
const heldShare = 0.05;

export function setPrecedence(
  { containers, live, cgroups }: Pick<EngineContext, 'containers' | 'live' | 'cgroups'>,
  id: string,
  precedence: Precedence,
): void {
  if (!cgroups.controllers.includes('cpu')) return;
  const own = containers.get(id)?.settings.limits.cpu;
  const cgroup = live.get(id)?.cgroup;
  const shares = own?.shares ?? (precedence === 'ahead' ? sharesAhead : null);
  const isBomb = precedence === 'behind' || precedence === 'held';
  cgroup?.update({ cpu: { shares: isBomb ? leastShares : shares } });
  if (isBomb && cgroup !== undefined) setQuota(cgroup, quotaOf(own, precedence === 'held'));
}

/** What a container has by itself, whatever it had before. */
export function restoreProcessors(cgroup: Cgroup, own: CpuLimits | undefined): void {
  cgroup.update({ cpu: { shares: own?.shares ?? null } });
  setQuota(cgroup, quotaOf(own, false));
}

function setQuota(cgroup: Cgroup, quota: CpuLimits): void {
  try {
    cgroup.update({ cpu: quota });
  } catch (error) {
    // A kernel without quotas (CONFIG_CFS_BANDWIDTH).
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/** Its own, or less. */
function quotaOf(own: CpuLimits | undefined, isHeld: boolean): CpuLimits {
  const { quotaMicros = null, periodMicros = null, burstMicros = null } = own ?? {};
  const share =
    quotaMicros === null ? Infinity : quotaMicros / (periodMicros ?? defaultPeriodMicros);
  if (!isHeld || share <= heldShare) return { quotaMicros, periodMicros, burstMicros };
  return { quotaMicros: heldShare * defaultPeriodMicros, periodMicros: defaultPeriodMicros };
}
