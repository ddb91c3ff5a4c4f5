/** Limits that make no sense are refused with dockerd's words before anything is made. */
import {
  type DiskLimits,
  defaultPeriodMicros,
  defaultPids,
  type Limits,
  minDiskBytes,
  minDiskInodes,
} from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';

/** Below this a container cannot even start (moby's linuxMinMemory). */
export const minMemoryBytes = 6 * 1024 * 1024;
const minQuotaMicros = 1000;
const periodMicros = { min: 1000, max: 1_000_000 };

/** Docker's default: as much swap as memory, so twice the limit together. */
export function withSwapDefault(limits: Limits): Limits {
  const { memory } = limits;
  if (!memory?.maxBytes || memory.maxWithSwapBytes !== undefined) return limits;
  return { ...limits, memory: { ...memory, maxWithSwapBytes: memory.maxBytes * 2 } };
}

/** `machineCpus` is asked only where a limit needs it: the answer comes from files. */
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

/** What nobody asked for is no reason to refuse a container where nothing can hold processes to it. */
export function withoutUnkeptDefault(limits: Limits, controllers: readonly string[]): Limits {
  if (limits.pids !== defaultPids || controllers.includes('pids')) return limits;
  const { pids: _, ...others } = limits;
  return others;
}

export function checkDisk({ maxBytes, maxInodes }: DiskLimits): void {
  if (typeof maxBytes === 'number' && (!Number.isSafeInteger(maxBytes) || maxBytes < minDiskBytes))
    throw invalid(`Invalid disk limit ${maxBytes}: the least is 4 MiB (${minDiskBytes} bytes).`);
  if (typeof maxInodes !== 'number') return;
  // The largest that ext4 and XFS can count is 32 bits.
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
  // moby's linuxMinCPUShares and linuxMaxCPUShares; 0 means "as it is".
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

/** A list such as `0-2,4` (cpuset(7), "List format"). */
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
