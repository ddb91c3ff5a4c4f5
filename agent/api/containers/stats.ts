/**
 * Docker's stats document. The `docker` CLI computes percentages from two samples of total_usage and
 * system_cpu_usage, and subtracts page cache from memory by total_inactive_file (cgroup v1) or inactive_file (v2);
 * the kernel's memory.stat is passed on unchanged.
 */
import { totalmem } from 'node:os';
import { never } from '../timestamps.ts';
import type { ContainerUsage } from './backend.ts';

export type StatsDocument = Record<string, unknown>;

export interface StatsSubject {
  id: string;
  name: string;
}

/** `previous` is the previous sample, for percentages; its fields are zero without one. */
export function statsDocument(
  { id, name }: StatsSubject,
  usage: ContainerUsage,
  previous: ContainerUsage | undefined,
): StatsDocument {
  const document: StatsDocument = {
    read: usage.readAt.toISOString(),
    preread: previous?.readAt.toISOString() ?? never,
    pids_stats: { current: usage.pids.current, ...orNothing('limit', usage.pids.limit) },
    blkio_stats: blockIo(usage),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuStats(usage),
    precpu_stats: previous === undefined ? noCpu : cpuStats(previous),
    memory_stats: memoryStats(usage),
    name: `/${name}`,
    id,
  };
  const networks = networkStats(usage);
  if (Object.keys(networks).length > 0) document.networks = networks;
  return document;
}

/** Stats of a container that does not run. */
export function emptyStats({ id, name }: StatsSubject): StatsDocument {
  return {
    read: never,
    preread: never,
    pids_stats: {},
    blkio_stats: noBlockIo,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
    name: `/${name}`,
    id,
  };
}

function cpuStats({ cpu, systemCpuNanos, onlineCpus }: ContainerUsage): StatsDocument {
  return {
    cpu_usage: {
      total_usage: cpu.totalNanos,
      ...orNothing('percpu_usage', cpu.perCpuNanos),
      usage_in_kernelmode: cpu.systemNanos,
      usage_in_usermode: cpu.userNanos,
    },
    system_cpu_usage: systemCpuNanos,
    online_cpus: onlineCpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNanos,
    },
  };
}

const noCpu: StatsDocument = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** Without a limit, or with one above the machine's memory, the limit shown is the machine's memory. */
function memoryStats({ memory }: ContainerUsage): StatsDocument {
  return {
    usage: memory.usageBytes,
    ...orNothing('max_usage', memory.maxUsageBytes),
    stats: memory.stat,
    ...(memory.failures > 0 ? { failcnt: memory.failures } : {}),
    limit: Math.min(memory.limitBytes ?? Number.POSITIVE_INFINITY, totalmem()),
  };
}

const noBlockIo: StatsDocument = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function blockIo({ io }: ContainerUsage): StatsDocument {
  const entries = (read: keyof (typeof io)[number], write: keyof (typeof io)[number]) =>
    io.flatMap((device) => [
      { major: device.major, minor: device.minor, op: 'read', value: device[read] },
      { major: device.major, minor: device.minor, op: 'write', value: device[write] },
    ]);
  return {
    ...noBlockIo,
    io_service_bytes_recursive: entries('readBytes', 'writeBytes'),
    io_serviced_recursive: entries('readOperations', 'writeOperations'),
  };
}

function networkStats({ networks }: ContainerUsage): StatsDocument {
  return Object.fromEntries(
    Object.entries(networks).map(([name, usage]) => [
      name,
      {
        rx_bytes: usage.rxBytes,
        rx_packets: usage.rxPackets,
        rx_errors: usage.rxErrors,
        rx_dropped: usage.rxDropped,
        tx_bytes: usage.txBytes,
        tx_packets: usage.txPackets,
        tx_errors: usage.txErrors,
        tx_dropped: usage.txDropped,
      },
    ]),
  );
}

function orNothing(name: string, value: unknown): StatsDocument {
  return value === undefined ? {} : { [name]: value };
}
