/** The memory controller: memory, swap and reservations. */
import type { MemoryLimits, Usage } from '../contract/limits.ts';
import { conflict, invalid } from '../errors.ts';
import {
  hasControl,
  type ReadFile,
  readBound,
  readControlIfAny,
  readCount,
  readKeyed,
  writeControl,
  writeLimit,
} from './control-file.ts';

const v1 = {
  limit: 'memory.limit_in_bytes',
  withSwap: 'memory.memsw.limit_in_bytes',
  reservation: 'memory.soft_limit_in_bytes',
} as const;
const none = -1;

/** v1 has no memory.high, and its OOM killer ends single processes only. */
export function checkMemoryV1({ highBytes, oomGroup }: MemoryLimits): void {
  if (typeof highBytes === 'number')
    throw invalid(
      'This machine runs cgroup v1, which has no memory.high: nothing there slows a container down instead of killing. Use a reservation, or boot with systemd.unified_cgroup_hierarchy=1.',
    );
  if (oomGroup === true)
    throw invalid(
      'This machine runs cgroup v1, which has no memory.oom.group: it kills one process at a time. Leave oomGroup out, or boot with systemd.unified_cgroup_hierarchy=1.',
    );
}

export function applyMemoryV1(directory: string, limits: MemoryLimits): void {
  checkMemoryV1(limits);
  applyMaximumsV1(directory, limits);
  const { reservationBytes, swappiness, oomKillDisabled } = limits;
  if (reservationBytes !== undefined)
    writeLimit(directory, v1.reservation, reservationBytes ?? none, 'memory reservation');
  if (swappiness !== undefined) writeSwappiness(directory, swappiness);
  if (oomKillDisabled !== undefined)
    writeControl(directory, 'memory.oom_control', oomKillDisabled ? 1 : 0);
}

/** Without an own value the cgroup has its parent's swappiness again. */
function writeSwappiness(directory: string, swappiness: number | null): void {
  const value = swappiness ?? readControlIfAny(`${directory}/..`, 'memory.swappiness');
  if (value !== undefined) writeLimit(directory, 'memory.swappiness', value, 'memory swappiness');
}

/**
 * v1 keeps memory <= memory + swap at every step: raise the sum first, lower the memory first. A
 * kernel without swap accounting has no file for the sum, and then there is nothing to keep.
 */
function applyMaximumsV1(directory: string, limits: MemoryLimits): void {
  const { maxBytes } = limits;
  if (maxBytes === undefined && limits.maxWithSwapBytes === undefined) return;
  const countsSwap = hasControl(directory, v1.withSwap);
  // Without a memory limit a sum has no meaning (and no file order could take the limit away).
  const withSwap = maxBytes === null ? null : limits.maxWithSwapBytes;
  const writeSum = () => {
    if (countsSwap && withSwap !== undefined)
      writeLimit(directory, v1.withSwap, withSwap ?? none, 'memory and swap limit');
  };
  const sumNow = countsSwap ? readBound(directory, v1.withSwap) : undefined;
  checkSum(maxBytes, withSwap, sumNow);
  const raisesSum = sumNow !== undefined && (withSwap == null || withSwap >= sumNow);
  if (raisesSum) writeSum();
  if (maxBytes !== undefined) writeLimit(directory, v1.limit, maxBytes ?? none, 'memory limit');
  if (!raisesSum) writeSum();
}

/** A memory limit above the sum that stays. */
function checkSum(
  maxBytes: number | null | undefined,
  withSwap: number | null | undefined,
  sumNow: number | undefined,
): void {
  if (typeof maxBytes === 'number' && withSwap === undefined && sumNow !== undefined)
    if (maxBytes > sumNow)
      throw invalid(
        `Memory limit should be smaller than already set memoryswap limit (${sumNow}), update the memoryswap at the same time`,
      );
}

export function applyMemoryV2(directory: string, limits: MemoryLimits): void {
  const { maxBytes, reservationBytes, highBytes, oomGroup } = limits;
  const swap = swapV2(directory, limits);
  const swapBefore = readControlIfAny(directory, 'memory.swap.max');
  // Swap first: a memory limit that comes down pushes pages out, which may then not go to swap.
  const writeSwap = (value: number | string | undefined) => {
    if (value !== undefined && swapBefore !== undefined)
      writeLimit(directory, 'memory.swap.max', value, 'memory and swap limit');
  };
  writeSwap(swap);
  try {
    if (typeof maxBytes === 'number') writeMaximumV2(directory, maxBytes);
    else if (maxBytes === null) writeLimit(directory, 'memory.max', 'max', 'memory limit');
  } catch (error) {
    writeSwap(swapBefore);
    throw error;
  }
  if (reservationBytes !== undefined)
    writeLimit(directory, 'memory.low', reservationBytes ?? 0, 'memory reservation');
  if (highBytes !== undefined)
    writeLimit(directory, 'memory.high', highBytes ?? 'max', 'memory high mark');
  if (oomGroup !== undefined) killTogetherV2(directory, oomGroup ?? true);
}

/** Makes the OOM killer end the whole container (memory.oom.group). */
export function killTogetherV2(directory: string, together = true): void {
  if (hasControl(directory, 'memory.oom.group'))
    writeControl(directory, 'memory.oom.group', together ? 1 : 0);
}

/**
 * v1 answers EBUSY; v2 takes any limit and kills until what is used fits. So the group is brought
 * below it by memory.high first, whose write reclaims as hard but kills nobody (cgroup-v2.rst), and
 * which holds back what grows meanwhile; what does not get there is refused. What can be reclaimed
 * cannot be told from memory.stat alone: dirty, mapped and locked pages look like any cache there.
 */
function writeMaximumV2(directory: string, maxBytes: number): void {
  const highBefore = readControlIfAny(directory, 'memory.high');
  if (highBefore === undefined) refuseBelowUse(directory, maxBytes);
  // Nothing that is used, nothing that could be killed: a group that is just being made.
  else if (readCount(directory, 'memory.current') > 0) {
    const high = highBefore === 'max' ? maxBytes : Math.min(maxBytes, Number(highBefore));
    writeLimit(directory, 'memory.high', high, 'memory high mark');
    try {
      const current = readCount(directory, 'memory.current');
      if (current > maxBytes) throw belowUse(maxBytes, current);
      writeLimit(directory, 'memory.max', maxBytes, 'memory limit');
    } finally {
      writeControl(directory, 'memory.high', highBefore);
    }
    return;
  }
  writeLimit(directory, 'memory.max', maxBytes, 'memory limit');
}

/**
 * v2 limits swap by itself, people and v1 limit the sum: the sum that was set stays when only the
 * memory limit changes.
 */
function swapV2(directory: string, limits: MemoryLimits): number | 'max' | undefined {
  const { maxBytes, maxWithSwapBytes } = limits;
  if (maxBytes === undefined && maxWithSwapBytes === undefined) return undefined;
  const limitNow = readBound(directory, 'memory.max');
  const swapNow = readBound(directory, 'memory.swap.max');
  const limit = maxBytes === undefined ? limitNow : (maxBytes ?? undefined);
  const sumNow = limitNow === undefined || swapNow === undefined ? undefined : limitNow + swapNow;
  if (maxWithSwapBytes === undefined) checkSum(maxBytes, maxWithSwapBytes, sumNow);
  const sum = maxWithSwapBytes === undefined ? sumNow : (maxWithSwapBytes ?? undefined);
  if (limit === undefined || sum === undefined || sum < 0) return 'max';
  if (sum < limit)
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  return sum - limit;
}

/** For kernels before memory.high. Page cache can be reclaimed, so it is not counted. */
function refuseBelowUse(directory: string, maxBytes: number): void {
  const current = readCount(directory, 'memory.current');
  const stat = readKeyed(directory, 'memory.stat');
  const cache = (stat.inactive_file ?? 0) + (stat.active_file ?? 0);
  if (current - cache > maxBytes) throw belowUse(maxBytes, current - cache);
}

function belowUse(maxBytes: number, usedBytes: number): Error {
  return conflict(
    `The memory limit cannot become ${maxBytes}: the container uses ${usedBytes} bytes now. Stop some of what runs inside, or choose a higher limit.`,
  );
}

export function readMemoryV1(directory: string, read?: ReadFile): Usage['memory'] {
  const stat = readKeyed(directory, 'memory.stat', read);
  return {
    usageBytes: readCount(directory, 'memory.usage_in_bytes', read),
    maxUsageBytes: readCount(directory, 'memory.max_usage_in_bytes', read),
    limitBytes: readBound(directory, v1.limit, read),
    swapBytes: stat.total_swap ?? stat.swap ?? 0,
    inactiveFileBytes: stat.total_inactive_file ?? 0,
    // Either limit may be the one that is reached. Linux 6.18 leaves both at 0 (measured).
    failures:
      readCount(directory, 'memory.failcnt', read) +
      readCount(directory, 'memory.memsw.failcnt', read),
    oomKills: oomKillsV1(directory, read),
    stat,
  };
}

export function readMemoryV2(directory: string, read?: ReadFile): Usage['memory'] {
  const stat = readKeyed(directory, 'memory.stat', read);
  const events = readKeyed(directory, 'memory.events', read);
  return {
    usageBytes: readCount(directory, 'memory.current', read),
    // Linux 5.19 and later.
    maxUsageBytes: readBound(directory, 'memory.peak', read),
    limitBytes: readBound(directory, 'memory.max', read),
    swapBytes: readCount(directory, 'memory.swap.current', read),
    inactiveFileBytes: stat.inactive_file ?? 0,
    failures: events.max ?? 0,
    oomKills: killsOf(events),
    stat,
  };
}

export function oomKillsV1(directory: string, read?: ReadFile): number {
  return readKeyed(directory, 'memory.oom_control', read).oom_kill ?? 0;
}

export function oomKillsV2(directory: string): number {
  return killsOf(readKeyed(directory, 'memory.events'));
}

/**
 * Processes that were killed. A group that is killed whole has the process that was chosen counted by
 * itself, and once more among all of the group unless it had ended in between (oom_kill_process() in
 * mm/oom_kill.c). Linux before 5.17 does not say how many groups were.
 */
function killsOf({ oom_kill: kills = 0, oom_group_kill: groups = 0 }: Record<string, number>) {
  return Math.max(kills - groups, groups);
}
