/** The cpu controller: a quota per period, and a weight relative to other cgroups. */
import { type CpuLimits, defaultPeriodMicros, type Usage } from '../contract/limits.ts';
import {
  type ReadFile,
  readControlIfAny,
  readCount,
  readKeyed,
  writeLimit,
} from './control-file.ts';

const defaultShares = 1024;
const defaultWeight = 100;

export function applyCpuV1(directory: string, limits: CpuLimits): void {
  const { shares, quotaMicros, periodMicros, burstMicros } = limits;
  if (shares !== undefined)
    writeLimit(directory, 'cpu.shares', shares ?? defaultShares, 'CPU shares');
  // The kernel keeps burst <= quota at every step (EINVAL, measured): a burst that the new quota
  // cannot hold goes first, the new one comes last.
  if (typeof quotaMicros === 'number' && readCount(directory, 'cpu.cfs_burst_us') > quotaMicros)
    writeChanged(directory, 'cpu.cfs_burst_us', 0, 'CPU burst');
  if (periodMicros !== undefined)
    writeChanged(directory, 'cpu.cfs_period_us', periodMicros ?? defaultPeriodMicros, 'CPU period');
  if (quotaMicros !== undefined)
    writeChanged(directory, 'cpu.cfs_quota_us', quotaMicros ?? -1, 'CPU quota');
  if (burstMicros !== undefined)
    writeChanged(directory, 'cpu.cfs_burst_us', burstMicros ?? 0, 'CPU burst');
}

export function applyCpuV2(directory: string, limits: CpuLimits): void {
  const { shares, quotaMicros, periodMicros, burstMicros } = limits;
  if (shares !== undefined) {
    const weight = shares === null ? defaultWeight : weightOfShares(shares);
    writeLimit(directory, 'cpu.weight', weight, 'CPU shares');
  }
  if (typeof quotaMicros === 'number' && readCount(directory, 'cpu.max.burst') > quotaMicros)
    writeChanged(directory, 'cpu.max.burst', 0, 'CPU burst');
  if (quotaMicros !== undefined || periodMicros !== undefined) {
    // One file holds both values; one that is not requested keeps its value.
    const [quotaNow = 'max', periodNow] = (readControlIfAny(directory, 'cpu.max') ?? '').split(' ');
    const quota = quotaMicros === undefined ? quotaNow || 'max' : (quotaMicros ?? 'max');
    const period =
      periodMicros === undefined
        ? (periodNow ?? defaultPeriodMicros)
        : (periodMicros ?? defaultPeriodMicros);
    writeChanged(directory, 'cpu.max', `${quota} ${period}`, 'CPU quota');
  }
  if (burstMicros !== undefined)
    writeChanged(directory, 'cpu.max.burst', burstMicros ?? 0, 'CPU burst');
}

/**
 * Writes only a changed quota. Even an equal one starts a new period and unthrottles all waiting
 * threads (tg_set_cfs_bandwidth, kernel/sched/core.c).
 */
function writeChanged(directory: string, file: string, value: number | string, what: string): void {
  if (readControlIfAny(directory, file)?.trim() !== String(value))
    writeLimit(directory, file, value, what);
}

/**
 * Docker's shares (2 to 262144, 1024 by default) as v2's weight (1 to 10000, 100 by default). The
 * curve goes through all three points, which a straight line does not (crun and runc 1.3 use it).
 */
export function weightOfShares(shares: number): number {
  if (shares <= 2) return 1;
  if (shares >= 262_144) return 10_000;
  const l = Math.log2(shares);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}

/** `cpu` has the quota's counters and `accounting` (cpuacct) the time; either may be missing. */
export function readCpuV1(
  cpu: string | undefined,
  accounting: string | undefined,
  read?: ReadFile,
): Usage['cpu'] {
  const throttling = cpu === undefined ? {} : readKeyed(cpu, 'cpu.stat', read);
  const count = (file: string) =>
    accounting === undefined ? 0 : readCount(accounting, file, read);
  const perCpu =
    accounting === undefined
      ? undefined
      : (read ?? readControlIfAny)(accounting, 'cpuacct.usage_percpu')
          ?.trim()
          .split(/\s+/)
          .map(Number);
  return {
    totalNanos: count('cpuacct.usage'),
    userNanos: count('cpuacct.usage_user'),
    systemNanos: count('cpuacct.usage_sys'),
    ...(perCpu && { perCpuNanos: perCpu }),
    periods: throttling.nr_periods ?? 0,
    throttledPeriods: throttling.nr_throttled ?? 0,
    throttledNanos: throttling.throttled_time ?? 0,
  };
}

export function readCpuV2(directory: string, read?: ReadFile): Usage['cpu'] {
  const stat = readKeyed(directory, 'cpu.stat', read);
  const nanos = (name: string) => (stat[name] ?? 0) * 1000;
  return {
    totalNanos: nanos('usage_usec'),
    userNanos: nanos('user_usec'),
    systemNanos: nanos('system_usec'),
    periods: stat.nr_periods ?? 0,
    throttledPeriods: stat.nr_throttled ?? 0,
    throttledNanos: nanos('throttled_usec'),
  };
}
