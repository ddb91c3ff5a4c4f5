/** The memory controller: memory, swap, and what the kernel tries to leave alone. */
import type { MemoryLimits, Usage } from '../contract/limits.ts';
import { conflict, invalid } from '../errors.ts';
import {
  hasControl,
  type ReadFile,
  readBound,
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

export function applyMemoryV1(directory: string, limits: MemoryLimits): void {
  applyMaximumsV1(directory, limits);
  const { reservationBytes, swappiness, oomKillDisabled } = limits;
  if (reservationBytes !== undefined)
    writeLimit(directory, v1.reservation, reservationBytes ?? none, 'memory reservation');
  if (typeof swappiness === 'number')
    writeLimit(directory, 'memory.swappiness', swappiness, 'memory swappiness');
  if (oomKillDisabled !== undefined)
    writeControl(directory, 'memory.oom_control', oomKillDisabled ? 1 : 0);
}

/**
 * v1 keeps memory <= memory + swap at every step: raise the sum first, lower the memory first. A
 * kernel without swap accounting has no file for the sum, and then there is nothing to keep.
 */
function applyMaximumsV1(directory: string, limits: MemoryLimits): void {
  const { maxBytes } = limits;
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
  const { maxBytes, reservationBytes } = limits;
  const swap = swapV2(directory, limits);
  if (typeof maxBytes === 'number') refuseBelowUse(directory, maxBytes);
  // Swap first: a memory limit that comes down pushes pages out, which may then not go to swap.
  if (swap !== undefined && hasControl(directory, 'memory.swap.max'))
    writeLimit(directory, 'memory.swap.max', swap, 'memory and swap limit');
  if (maxBytes !== undefined)
    writeLimit(directory, 'memory.max', maxBytes ?? 'max', 'memory limit');
  if (reservationBytes !== undefined)
    writeLimit(directory, 'memory.low', reservationBytes ?? 0, 'memory reservation');
}

/** One process that is killed for memory takes its whole container with it, never half of it. */
export function killTogetherV2(directory: string): void {
  if (hasControl(directory, 'memory.oom.group')) writeControl(directory, 'memory.oom.group', 1);
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

/**
 * v1 answers EBUSY; v2 would take the limit and kill. Page cache can go, so it does not count.
 */
function refuseBelowUse(directory: string, maxBytes: number): void {
  const current = readCount(directory, 'memory.current');
  const stat = readKeyed(directory, 'memory.stat');
  const cache = (stat.inactive_file ?? 0) + (stat.active_file ?? 0);
  if (current - cache > maxBytes)
    throw conflict(
      `The memory limit cannot become ${maxBytes}: the container uses ${current - cache} bytes now. Stop some of what runs inside, or choose a higher limit.`,
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
    oomKills: events.oom_kill ?? 0,
    stat,
  };
}

export function oomKillsV1(directory: string, read?: ReadFile): number {
  return readKeyed(directory, 'memory.oom_control', read).oom_kill ?? 0;
}

export function oomKillsV2(directory: string): number {
  return readKeyed(directory, 'memory.events').oom_kill ?? 0;
}
