/** Refuses limits that make no sense, in dockerd's words, before anything is made. */
import {
  type DiskLimits,
  defaultPeriodMicros,
  defaultPids,
  type Limits,
  minDiskBytes,
  minDiskInodes,
} from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';

/** moby's linuxMinMemory: a container with less cannot start. */
export const minMemoryBytes = 6 * 1024 * 1024;
const minQuotaMicros = 1000;
const periodMicros = { min: 1000, max: 1_000_000 };

/**
 * Docker's default is as much swap as memory, so memory and swap together are twice the memory
 * limit.
 */
export function withSwapDefault(limits: Limits): Limits {
  const { memory } = limits;
  if (!memory?.maxBytes || memory.maxWithSwapBytes !== undefined) return limits;
  return { ...limits, memory: { ...memory, maxWithSwapBytes: memory.maxBytes * 2 } };
}

/**
 * Throws invalid. `machineCpus` is a function because counting CPUs reads files and few limits need
 * it.
 */
export function checkLimits(limits: Limits, machineCpus: () => number): void {
  checkMemory(limits.memory ?? {});
  checkCpu(limits.cpu ?? {}, machineCpus);
  checkDisk(limits.disk ?? {});
  const { pids } = limits;
  if (typeof pids === 'number' && (!Number.isSafeInteger(pids) || pids < 0))
    throw invalid(`Invalid process limit ${pids}: it is a whole number, 0 or more.`);
  const { highBytes, maxBytes } = limits.memory ?? {};
  if (typeof highBytes === 'number' && typeof maxBytes === 'number' && highBytes > maxBytes)
    throw invalid(
      `The high mark (${highBytes}) cannot be above the memory limit (${maxBytes}), which would be reached first.`,
    );
  const weight = limits.io?.weight;
  if (typeof weight === 'number' && weight !== 0 && (weight < 10 || weight > 1000))
    throw invalid('Range of blkio weight is from 10 to 1000');
}

function checkMemory(memory: NonNullable<Limits['memory']>): void {
  const { maxBytes, maxWithSwapBytes, reservationBytes, swappiness } = memory;
  if (typeof maxBytes === 'number' && maxBytes < minMemoryBytes)
    throw invalid('Minimum memory limit allowed is 6MB');
  if (typeof maxWithSwapBytes === 'number' && maxWithSwapBytes > 0) {
    if (typeof maxBytes === 'number' && maxWithSwapBytes < maxBytes)
      throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
    if (maxBytes === undefined)
      throw invalid(
        'You should always set the Memory limit when using Memoryswap limit, see usage',
      );
  }
  if (typeof reservationBytes === 'number') {
    if (reservationBytes < minMemoryBytes)
      throw invalid('Minimum memory reservation allowed is 6MB');
    if (typeof maxBytes === 'number' && reservationBytes > maxBytes)
      throw invalid(
        'Minimum memory limit can not be less than memory reservation limit, see usage',
      );
  }
  if (typeof swappiness === 'number' && (swappiness < 0 || swappiness > 100))
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
}

/**
 * Drops the default pids limit where no cgroup controller enforces it. Only a limit that was asked
 * for may refuse a container.
 */
export function withoutUnkeptDefault(limits: Limits, controllers: readonly string[]): Limits {
  if (limits.pids !== defaultPids || controllers.includes('pids')) return limits;
  const { pids: _, ...others } = limits;
  return others;
}

export function checkDisk({ maxBytes, maxInodes }: DiskLimits): void {
  if (typeof maxBytes === 'number' && (!Number.isSafeInteger(maxBytes) || maxBytes < minDiskBytes))
    throw invalid(`Invalid disk limit ${maxBytes}: the least is 4 MiB (${minDiskBytes} bytes).`);
  if (typeof maxInodes !== 'number') return;
  // ext4 and XFS count inodes in 32 bits.
  if (!Number.isSafeInteger(maxInodes) || maxInodes < minDiskInodes || maxInodes >= 2 ** 32)
    throw invalid(`Invalid inode limit ${maxInodes}: it is from ${minDiskInodes} to 4294967295.`);
}

function checkCpu(cpu: NonNullable<Limits['cpu']>, machineCpus: () => number): void {
  const { quotaMicros, periodMicros: period, burstMicros, shares, cpus, mems } = cpu;
  if (typeof period === 'number' && (period < periodMicros.min || period > periodMicros.max))
    throw invalid(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    );
  if (typeof quotaMicros === 'number') {
    if (quotaMicros < minQuotaMicros)
      throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
    const available = machineCpus();
    if (quotaMicros > available * (period ?? defaultPeriodMicros))
      throw invalid(
        `Range of CPUs is from 0.01 to ${available.toFixed(2)}, as there are only ${available} CPUs available`,
      );
  }
  if (typeof quotaMicros === 'number' && (burstMicros ?? 0) > quotaMicros)
    throw invalid(
      `The CPU burst (${burstMicros}) cannot be larger than the quota (${quotaMicros}): lower it too.`,
    );
  // moby's linuxMinCPUShares and linuxMaxCPUShares; 0 means the default.
  if (typeof shares === 'number' && shares !== 0 && (shares < 2 || shares > 262_144))
    throw invalid(
      `The ${shares < 2 ? 'minimum allowed cpu-shares is 2' : 'maximum allowed cpu-shares is 262144'}`,
    );
  if (typeof cpus === 'string') checkList('CPUs', cpus, machineCpus());
  if (typeof mems === 'string') parseList('memory nodes', mems);
}

function checkList(what: string, text: string, available: number): void {
  if (parseList(what, text).some((number) => number >= available))
    throw invalid(
      `Requested ${what} are not available - requested ${text}, available: 0-${available - 1}`,
    );
}

/** Parses a list such as `0-2,4` (cpuset(7), "List format"). */
function parseList(what: string, text: string): number[] {
  return text.split(',').flatMap((part) => {
    const match = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first)
      throw invalid(`Invalid value ${text} for ${what}: write a list such as 0-2,4.`);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}
