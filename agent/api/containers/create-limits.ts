/**
 * Translates the resources of HostConfig to Limits. In Docker's fields zero means "not set" and -1 means "not
 * limited", which in an update is a change (null).
 */
import { availableParallelism } from 'node:os';
import { readDiskLimits } from '../../contract/disk-options.ts';
import {
  type CpuLimits,
  type DiskLimits,
  defaultPeriodMicros,
  defaultPids,
  type IoDeviceLimits,
  type IoLimits,
  type Limits,
  type MemoryLimits,
} from '../../contract/limits.ts';
import { invalid } from '../../errors.ts';
import type { Fields } from '../fields.ts';

const minimumMemoryBytes = 6 * 1024 * 1024;

export interface ReadLimits {
  limits: Limits;
  warnings: string[];
}

/** Limits of a new container; unlimited resources are left out. */
export function readLimits(host: Fields): ReadLimits {
  const { limits, warnings } = readLimitsUpdate(host);
  const memory = limits.memory;
  // Memory with swap is twice the memory limit by default (moby daemon_unix.go, adaptContainerSettings).
  if (typeof memory?.maxBytes === 'number' && memory.maxWithSwapBytes === undefined)
    memory.maxWithSwapBytes = 2 * memory.maxBytes;
  if (memory !== undefined && memory.maxWithSwapBytes === null) delete memory.maxWithSwapBytes;
  // The docker CLI sends 0 without --pids-limit, so only -1 means not limited.
  if (limits.pids === undefined) limits.pids = defaultPids;
  if (limits.pids === null) delete limits.pids;
  limits.disk = readDisk(host);
  return { limits: withoutEmptyParts(limits), warnings };
}

/** Reads `--storage-opt size=10g`, as dockerd's overlay2 does; 0 means not limited even where there is a default. */
function readDisk(host: Fields): DiskLimits | undefined {
  const { size, inodes, ...unknown } = host.textMap('StorageOpt');
  const [name] = Object.keys(unknown);
  if (name !== undefined)
    throw invalid(`Unknown storage option ${name}; known are size and inodes`);
  return readDiskLimits({ size, inodes }, invalid);
}

/** Limits of an update; only named ones change. */
export function readLimitsUpdate(host: Fields): ReadLimits {
  const warnings: string[] = [];
  if (host.flag('OomKillDisable') === true && (host.integer('Memory') ?? 0) === 0)
    warnings.push(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  const limits = {
    cpu: readCpu(host),
    memory: readMemory(host),
    pids: readPids(host),
    io: readIo(host),
  };
  return { limits: withoutEmptyParts(limits), warnings };
}

function readCpu(host: Fields): CpuLimits {
  const nanoCpus = host.integer('NanoCpus') ?? 0;
  const period = host.integer('CpuPeriod') ?? 0;
  const quota = host.integer('CpuQuota') ?? 0;
  const shares = host.integer('CpuShares') ?? 0;
  if (nanoCpus !== 0 && period > 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nanoCpus !== 0 && quota > 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  // availableParallelism reads a file of the machine, so it is not called without need.
  const cpus = nanoCpus === 0 ? 0 : availableParallelism();
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9)
    throw invalid(
      `Range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`,
    );
  if (period !== 0 && (period < 1000 || period > 1_000_000))
    throw invalid(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    );
  if (quota > 0 && quota < 1000)
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (shares < 0 || shares > 262_144)
    throw invalid(`invalid CPU shares (${shares}): value must be a positive integer up to 262144`);
  return {
    quotaMicros: nanoCpus !== 0 ? quotaOf(nanoCpus) : quota < 0 ? null : quota || undefined,
    periodMicros: nanoCpus !== 0 ? defaultPeriodMicros : period || undefined,
    // The kernel's minimum is 2 (cgroup v1 cpu.shares); Docker passes 1 on and the kernel rounds it up.
    shares: shares === 0 ? undefined : Math.max(shares, 2),
    cpus: readCpuList(host, 'CpusetCpus', 'cpuset cpus'),
    mems: readCpuList(host, 'CpusetMems', 'cpuset mems'),
  };
}

/** The quota in microseconds per period. The kernel's minimum is 1 ms (cpu.cfs_quota_us), which is 0.01 CPUs. */
function quotaOf(nanoCpus: number): number {
  return Math.max(1000, Math.round((nanoCpus * defaultPeriodMicros) / 1e9));
}

function readCpuList(host: Fields, field: string, label: string): string | undefined {
  const list = host.filled(field);
  if (list !== undefined && !/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(list))
    throw invalid(`Invalid value ${list} for ${label}: invalid format: ${list}`);
  return list;
}

function readMemory(host: Fields): MemoryLimits {
  const memory = host.integer('Memory') ?? 0;
  const withSwap = host.integer('MemorySwap') ?? 0;
  const reservation = host.integer('MemoryReservation') ?? 0;
  const swappiness = host.integer('MemorySwappiness');
  if (memory !== 0 && memory < minimumMemoryBytes)
    throw invalid('Minimum memory limit allowed is 6MB');
  if (memory > 0 && withSwap > 0 && withSwap < memory)
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (memory === 0 && withSwap > 0)
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (swappiness !== undefined && (swappiness < -1 || swappiness > 100))
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  if (reservation !== 0 && reservation < minimumMemoryBytes)
    throw invalid('Minimum memory reservation allowed is 6MB');
  if (memory > 0 && reservation > memory)
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  return {
    maxBytes: memory || undefined,
    maxWithSwapBytes: withSwap < 0 ? null : withSwap || undefined,
    reservationBytes: reservation || undefined,
    swappiness: swappiness === -1 ? undefined : swappiness,
    oomKillDisabled: host.flag('OomKillDisable') === true ? true : undefined,
  };
}

function readPids(host: Fields): number | null | undefined {
  const pids = host.integer('PidsLimit');
  if (pids === undefined || pids === 0) return undefined;
  return pids < 0 ? null : pids;
}

function readIo(host: Fields): IoLimits {
  const devices = new Map<string, IoDeviceLimits>();
  const rate = (field: string, key: Exclude<keyof IoDeviceLimits, 'device'>, value: string) => {
    for (const entry of host.objects(field)) {
      const device = entry.filled('Path');
      if (device === undefined) throw invalid(`bad ${field}: an entry has no Path`);
      const amount = entry.integer(value) ?? 0;
      if (amount < 0) throw invalid(`bad ${field}: ${device} has a negative ${value}`);
      devices.set(device, { ...(devices.get(device) ?? { device }), [key]: amount || null });
    }
  };
  rate('BlkioWeightDevice', 'weight', 'Weight');
  rate('BlkioDeviceReadBps', 'readBytesPerSecond', 'Rate');
  rate('BlkioDeviceWriteBps', 'writeBytesPerSecond', 'Rate');
  rate('BlkioDeviceReadIOps', 'readOperationsPerSecond', 'Rate');
  rate('BlkioDeviceWriteIOps', 'writeOperationsPerSecond', 'Rate');
  const weight = host.integer('BlkioWeight') ?? 0;
  if (weight !== 0 && (weight < 10 || weight > 1000))
    throw invalid('Range of blkio weight is from 10 to 1000');
  return {
    weight: weight || undefined,
    devices: devices.size === 0 ? undefined : [...devices.values()],
  };
}

/** Removes empty parts, so that a request without limits gives `{}`. */
function withoutEmptyParts(limits: Limits): Limits {
  return Object.fromEntries(
    Object.entries(limits)
      .map(([name, part]) => [name, isPart(part) ? withoutUndefined(part) : part] as const)
      .filter(
        ([, part]) => part !== undefined && !(isPart(part) && Object.keys(part).length === 0),
      ),
  );
}

function isPart(part: unknown): part is object {
  return typeof part === 'object' && part !== null;
}

function withoutUndefined(part: object): object {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));
}
