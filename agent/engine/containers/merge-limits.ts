/** Merges limits with a change: an absent value keeps the limit, `null` removes it. */
import type { Limits } from '../../contract/limits.ts';

export function mergedLimits(before: Limits, change: Limits): Limits {
  return {
    ...before,
    ...(change.cpu && { cpu: { ...before.cpu, ...change.cpu } }),
    ...(change.memory && { memory: { ...before.memory, ...change.memory } }),
    ...(change.disk && { disk: { ...before.disk, ...change.disk } }),
    ...(change.pids !== undefined && { pids: change.pids }),
    ...(change.io && {
      io: {
        ...before.io,
        ...change.io,
        devices: mergedBy('device', before.io?.devices, change.io.devices),
      },
    }),
    ...(change.hugetlb && { hugetlb: mergedBy('pageBytes', before.hugetlb, change.hugetlb) }),
    ...(change.network && { network: { ...before.network, ...change.network } }),
    ...(change.openFiles !== undefined && { openFiles: change.openFiles }),
    ...(change.log && { log: { ...before.log, ...change.log } }),
  };
}

function mergedBy<T, K extends keyof T>(key: K, before: T[] = [], change: T[] = []): T[] {
  const entries = new Map(before.map((entry) => [entry[key], entry]));
  for (const entry of change) entries.set(entry[key], { ...entries.get(entry[key]), ...entry });
  return [...entries.values()];
}

/** The change that reverts `change`: every value that it names, as it was before. */
export function revertingChange(before: Limits, change: Limits): Limits {
  const part = <T extends object>(was: T | undefined, now: T | undefined): T | undefined =>
    now && (Object.fromEntries(named(now).map((key) => [key, was?.[key] ?? null])) as T);
  const listed = <T extends object, K extends keyof T>(key: K, was: T[] = [], now: T[] = []) =>
    now.map((entry) => ({
      ...part(
        was.find((one) => one[key] === entry[key]),
        entry,
      ),
      [key]: entry[key],
    })) as T[];
  const back: Limits = {
    cpu: part(before.cpu, change.cpu),
    memory: part(before.memory, change.memory),
    disk: part(before.disk, change.disk),
    pids: change.pids === undefined ? undefined : (before.pids ?? null),
    io: change.io && {
      ...part(before.io, { ...change.io, devices: undefined }),
      devices: listed('device', before.io?.devices, change.io.devices),
    },
    hugetlb: change.hugetlb && listed('pageBytes', before.hugetlb, change.hugetlb),
    network: part(before.network, change.network),
    openFiles: change.openFiles === undefined ? undefined : (before.openFiles ?? null),
    log: part(before.log, change.log),
  };
  // This switch is on or off, so it has no `null`.
  if (back.memory?.oomKillDisabled === null) back.memory.oomKillDisabled = false;
  return Object.fromEntries(Object.entries(back).filter(([, value]) => value !== undefined));
}

function named<T extends object>(part: T): (keyof T)[] {
  return (Object.keys(part) as (keyof T)[]).filter((key) => part[key] !== undefined);
}

/**
 * Lowers the burst together with the quota, because the kernel refuses a quota below the burst
 * (cpu.cfs_burst_us).
 */
export function withFittingBurst(before: Limits, change: Limits): Limits {
  const quota = change.cpu?.quotaMicros;
  const burst = before.cpu?.burstMicros ?? 0;
  if (typeof quota !== 'number' || change.cpu?.burstMicros !== undefined || burst <= quota)
    return change;
  return { ...change, cpu: { ...change.cpu, burstMicros: quota } };
}
