/** What a container's precedence (precedence.ts) means for its limits of the processors, and for its turns on them. */
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
const heldShare = 0.01;
/** The longest that the kernel has: at the end of each, thousands of processes are let go and held again. */
const heldPeriodMicros = 1_000_000;

type Parts = Pick<EngineContext, 'containers' | 'live' | 'cgroups' | 'runtime'>;

/** What it was `before` may be the same: then what it has started since gets the same turns. */
export function setPrecedence(
  { containers, live, cgroups, runtime }: Parts,
  id: string,
  { before, now }: { before: Precedence; now: Precedence },
): void {
  const cgroup = live.get(id)?.cgroup;
  if (cgroup === undefined || !cgroups.controllers.includes('cpu')) return;
  limit(cgroup, limitsOf(now, containers.get(id)?.settings.limits.cpu));
  if (now === 'ahead') runtime.setTurns(cgroup.processes(), 'shorter');
  else if (before === 'ahead') runtime.setTurns(cgroup.processes(), 'own');
}

/** What a container has by itself, whatever it had before. */
export function restoreProcessors(
  { runtime }: Pick<EngineContext, 'runtime'>,
  cgroup: Cgroup,
  own: CpuLimits = {},
): void {
  limit(cgroup, limitsOf('own', own));
  runtime.setTurns(cgroup.processes(), 'own');
}

function limitsOf(precedence: Precedence, own: CpuLimits = {}): CpuLimits {
  switch (precedence) {
    case 'ahead':
      return { shares: own.shares ?? sharesAhead };
    case 'own':
      return { shares: own.shares ?? null, ...ownQuota(own) };
    case 'behind':
      return { shares: leastShares, ...ownQuota(own) };
    case 'held':
      return { shares: leastShares, ...heldQuota(own) };
  }
}

const ownQuota = ({ quotaMicros = null, periodMicros = null, burstMicros = null }: CpuLimits) => ({
  quotaMicros,
  periodMicros,
  burstMicros,
});

/** Its own, or less. */
function heldQuota(own: CpuLimits): CpuLimits {
  const share = (own.quotaMicros ?? Infinity) / (own.periodMicros ?? defaultPeriodMicros);
  if (share <= heldShare) return ownQuota(own);
  return { quotaMicros: heldShare * heldPeriodMicros, periodMicros: heldPeriodMicros };
}

function limit(cgroup: Cgroup, cpu: CpuLimits): void {
  try {
    cgroup.update({ cpu });
  } catch (error) {
    // A kernel without quotas (CONFIG_CFS_BANDWIDTH); the shares come first.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
