/** From two readings of the kernel's counters to what happened between them. */
import type { Stall, Usage } from '../../contract/limits.ts';
import type { PressureSample, StallShares } from '../../contract/pressure.ts';

export interface Reading {
  atMs: number;
  usage: Usage;
}

/** The kernel charges in batches of 64 pages, so a full group may stand this far below its limit. */
const chargeBatchBytes = 64 * 4096;

/** Undefined when a counter fell: the group is gone, or another one is under its name. */
export function difference(
  before: Reading,
  after: Reading,
  version: 1 | 2,
): Omit<PressureSample, 'diskFull'> | undefined {
  const intervalMs = Math.max(1, Math.round(after.atMs - before.atMs));
  const [was, is] = [before.usage, after.usage];
  if (is.cpu.totalNanos < was.cpu.totalNanos) return undefined;
  const { usageBytes, inactiveFileBytes, limitBytes, swapBytes } = is.memory;
  return {
    atMs: Math.round(after.atMs),
    intervalMs,
    cpu: {
      usedMicros: (is.cpu.totalNanos - was.cpu.totalNanos) / 1000,
      throttledMicros: (is.cpu.throttledNanos - was.cpu.throttledNanos) / 1000,
      periods: is.cpu.periods - was.cpu.periods,
      throttledPeriods: is.cpu.throttledPeriods - was.cpu.throttledPeriods,
    },
    memory: {
      usedBytes: Math.max(0, usageBytes - inactiveFileBytes),
      swapBytes,
      limitBytes: limitBytes ?? null,
      limitHits: limitHits(was, is, version),
    },
    pids: {
      current: is.pids.current,
      limit: is.pids.limit ?? null,
      refusals: is.pids.refusals - was.pids.refusals,
    },
    io: ioDifference(was, is),
    // Read while a whole group was being killed, it may have counted one too many (cgroup/memory.ts).
    oomKills: Math.max(0, is.memory.oomKills - was.memory.oomKills),
    stall: stallDifference(was.stall, is.stall, intervalMs),
  };
}

/** Whether no hit was counted although the limit was reached, as Linux 6.18 does on v1 (measured). */
export function countsNoHits({ memory }: Usage, version: 1 | 2): boolean {
  return version === 1 && memory.failures === 0 && standsAtLimit(memory);
}

function limitHits(was: Usage, is: Usage, version: 1 | 2): number {
  return countsNoHits(is, version) ? 1 : is.memory.failures - was.memory.failures;
}

function standsAtLimit({ usageBytes, limitBytes }: Usage['memory']): boolean {
  return limitBytes !== undefined && usageBytes >= limitBytes - chargeBatchBytes;
}

function ioDifference(was: Usage, is: Usage): PressureSample['io'] {
  const since = (key: 'readBytes' | 'writeBytes' | 'readOperations' | 'writeOperations') => {
    const total = ({ io }: Usage) => io.reduce((sum, device) => sum + device[key], 0);
    // A device that was taken away takes its counters with it.
    return Math.max(0, total(is) - total(was));
  };
  return {
    readBytes: since('readBytes'),
    writtenBytes: since('writeBytes'),
    readOperations: since('readOperations'),
    writeOperations: since('writeOperations'),
  };
}

export function stallDifference(
  was: Stall | undefined,
  is: Stall | undefined,
  intervalMs: number,
): StallShares | null {
  if (was === undefined || is === undefined) return null;
  const share = (now: number, then: number) =>
    Math.round(Math.min(1, Math.max(0, (now - then) / (intervalMs * 1000))) * 10_000) / 10_000;
  const of = (resource: keyof Stall) => ({
    some: share(is[resource].someMicros, was[resource].someMicros),
    full: share(is[resource].fullMicros, was[resource].fullMicros),
  });
  return { cpu: of('cpu'), memory: of('memory'), io: of('io') };
}
