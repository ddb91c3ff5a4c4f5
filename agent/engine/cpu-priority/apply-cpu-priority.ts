/** What a CPU priority (cpu-priority.ts) means for a container's cpu controller and its time slice. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import { type CpuLimits, defaultPeriodMicros } from '../../contract/limits.ts';
import { hasErrno } from '../../kernel/libc.ts';
import type { EngineContext } from '../context.ts';
import type { CpuPriorityChange } from './cpu-priorities.ts';
import type { CpuPriority } from './cpu-priority.ts';

/** The kernel's minimum (sched_group_set_shares). */
const leastShares = 2;
/** Eight times the default of 1024. */
const boostedShares = 8192;
/** CPUs of a throttled container. */
const throttledCpus = 0.01;
/** The kernel's longest: at each period's end thousands of processes of a fork bomb wake up and are throttled again. */
const throttledPeriodMicros = 1_000_000;

type Parts = Pick<EngineContext, 'containers' | 'live' | 'cgroups' | 'runtime'>;

/** May be called again with the same priority: processes started since then get its time slice. */
export function applyCpuPriority(
  { containers, live, cgroups, runtime }: Parts,
  id: string,
  { before, now }: CpuPriorityChange,
): void {
  const cgroup = live.get(id)?.cgroup;
  if (cgroup === undefined || !cgroups.controllers.includes('cpu')) return;
  limit(cgroup, limitsFor(now, containers.get(id)?.settings.limits.cpu));
  if (now === 'boosted') runtime.setTimeSlice(cgroup.processes(), 'short');
  else if (before === 'boosted') runtime.setTimeSlice(cgroup.processes(), 'default');
}

/** Puts back the container's own CPU limits, whatever an agent before us had applied. */
export function restoreCpuLimits(
  { runtime }: Pick<EngineContext, 'runtime'>,
  cgroup: Cgroup,
  own: CpuLimits = {},
): void {
  limit(cgroup, limitsFor('normal', own));
  runtime.setTimeSlice(cgroup.processes(), 'default');
}

function limitsFor(priority: CpuPriority, own: CpuLimits = {}): CpuLimits {
  switch (priority) {
    case 'boosted':
      // Shares that a person has set are kept.
      return { shares: own.shares ?? boostedShares, ...ownQuota(own) };
    case 'normal':
      return { shares: own.shares ?? null, ...ownQuota(own) };
    case 'throttled':
      return { shares: leastShares, ...throttledQuota(own) };
  }
}

const ownQuota = ({ quotaMicros = null, periodMicros = null, burstMicros = null }: CpuLimits) => ({
  quotaMicros,
  periodMicros,
  burstMicros,
});

/** The container's own quota if that is less. */
function throttledQuota(own: CpuLimits): CpuLimits {
  const cpus = (own.quotaMicros ?? Infinity) / (own.periodMicros ?? defaultPeriodMicros);
  if (cpus <= throttledCpus) return ownQuota(own);
  return {
    quotaMicros: throttledCpus * throttledPeriodMicros,
    periodMicros: throttledPeriodMicros,
  };
}

function limit(cgroup: Cgroup, cpu: CpuLimits): void {
  try {
    cgroup.update({ cpu });
  } catch (error) {
    // A kernel without CONFIG_CFS_BANDWIDTH has no quota files; the shares were written before them.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
