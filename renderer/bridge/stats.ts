import type { ContainerStatsResponse } from '../../agent/contract/docker.ts';
import { query, streamJson } from './engine.ts';

/** One reading of what a container uses. */
export interface StatsSample {
  atMs: number;
  /** CPUs kept busy since the last reading: 1.5 is one and a half. */
  cpus: number;
  onlineCpus: number;
  /** Without the page cache that can go at once, as `docker stats` counts. */
  memoryBytes: number;
  /** The limit, or the whole machine where there is none. */
  memoryLimitBytes: number;
  pids: number;
  pidsLimit: number | undefined;
  throttledPeriods: number;
  receivedBytes: number;
  sentBytes: number;
  readBytes: number;
  writtenBytes: number;
}

/** About one reading a second until aborted. */
export async function* watchStats(id: string, signal: AbortSignal): AsyncGenerator<StatsSample> {
  const path = `/containers/${id}/stats${query({ stream: true })}`;
  for await (const stats of streamJson<ContainerStatsResponse>({ method: 'GET', path }, signal))
    yield toSample(stats);
}

export function toSample(stats: ContainerStatsResponse): StatsSample {
  const memory = stats.memory_stats ?? {};
  // v1 counts the whole subtree in total_*, v2 has the plain name (docker/cli, calculateMemUsageUnixNoCache).
  const cache = memory.stats?.total_inactive_file ?? memory.stats?.inactive_file ?? 0;
  const usage = memory.usage ?? 0;
  return {
    atMs: stats.read ? new Date(stats.read).getTime() : 0,
    cpus: busyCpus(stats),
    onlineCpus: stats.cpu_stats?.online_cpus ?? 1,
    memoryBytes: cache < usage ? usage - cache : usage,
    memoryLimitBytes: memory.limit ?? 0,
    pids: stats.pids_stats?.current ?? 0,
    // The kernel's "max" arrives as 2^64-1.
    pidsLimit: boundedLimit(stats.pids_stats?.limit),
    throttledPeriods: stats.cpu_stats?.throttling_data?.throttled_periods ?? 0,
    ...networkBytes(stats.networks as Record<string, NetworkCounters> | undefined),
    ...diskBytes(stats),
  };
}

interface NetworkCounters {
  rx_bytes?: number;
  tx_bytes?: number;
}

function busyCpus({ cpu_stats: now, precpu_stats: before }: ContainerStatsResponse): number {
  const used = (now?.cpu_usage?.total_usage ?? 0) - (before?.cpu_usage?.total_usage ?? 0);
  const passed = (now?.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  // The first reading has nothing before it.
  if (used <= 0 || passed <= 0 || !before?.system_cpu_usage) return 0;
  return (used / passed) * (now?.online_cpus ?? 1);
}

function boundedLimit(limit: number | null | undefined): number | undefined {
  return limit && limit < Number.MAX_SAFE_INTEGER ? limit : undefined;
}

function networkBytes(networks: Record<string, NetworkCounters> | undefined) {
  const all = Object.values(networks ?? {});
  return {
    receivedBytes: all.reduce((sum, one) => sum + (one.rx_bytes ?? 0), 0),
    sentBytes: all.reduce((sum, one) => sum + (one.tx_bytes ?? 0), 0),
  };
}

function diskBytes(stats: ContainerStatsResponse) {
  const entries = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const total = (operation: string) =>
    entries
      .filter((entry) => entry.op?.toLowerCase() === operation)
      .reduce((sum, entry) => sum + (entry.value ?? 0), 0);
  return { readBytes: total('read'), writtenBytes: total('write') };
}
