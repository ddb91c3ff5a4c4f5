/** Lists all processes of the machine in groups: those of each running container and all others. */
import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import type { MachineProcesses, ProcessFigure, ProcessGroup } from '../contract/processes.ts';
import { type ProcessStat, ticksPerSecond } from '../kernel/process-stat.ts';
import { processorTimes } from '../kernel/processor-times.ts';
import type { RunningContainer, RunningContainers } from './containers/running-containers.ts';
import type { EngineContext } from './context.ts';

const nanosPerTick = 1_000_000_000 / ticksPerSecond;
/** The page size of every supported machine (getpagesize(2)). */
const pageBytes = 4096;
/**
 * The most processes listed for one group, so that a container with thousands hides no other group.
 */
const mostListed = 400;

type Parts = Pick<EngineContext, 'containers' | 'live' | 'kernelViews'>;

export async function machineProcesses(parts: Parts): Promise<MachineProcesses> {
  const { containers, live, kernelViews } = parts;
  // Owners are read before and after the pass, so that processes that began or ended meanwhile
  // still belong to their container.
  const owners = ownersOf(live);
  const processes = await kernelViews.processes();
  for (const [pid, id] of ownersOf(live)) owners.set(pid, id);
  const byOwner = Map.groupBy(processes, ([pid]) => owners.get(pid));
  const shims = new Map<number, string>();
  const groups = live.ids().flatMap((id) => {
    const [running, record] = [live.get(id), containers.get(id)];
    if (running === undefined || record === undefined) return [];
    shims.set(running.process.shimPid, id);
    const container = { id, name: record.name, limits: record.settings.limits };
    return [{ container, ...usageOf(running), ...listed(byOwner.get(id) ?? [], shims) }];
  });
  return {
    readAt: new Date().toISOString(),
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    ...machineUse(readFileSync('/proc/stat', 'utf8'), readFileSync('/proc/meminfo', 'utf8')),
    groups: [listed(byOwner.get(undefined) ?? [], shims), ...groups],
  };
}

function ownersOf(live: RunningContainers): Map<number, string> {
  return new Map(
    live.ids().flatMap(
      (id) =>
        live
          .get(id)
          ?.cgroup.processes()
          .map((pid) => [pid, id] as const) ?? [],
    ),
  );
}

/** Memory use without the inactive page cache, which can be dropped at once. */
function usageOf({ cgroup }: RunningContainer): Pick<ProcessGroup, 'cpuNanos' | 'memoryBytes'> {
  const { cpu, memory } = cgroup.usage();
  return {
    cpuNanos: cpu.totalNanos,
    memoryBytes: Math.max(0, memory.usageBytes - memory.inactiveFileBytes),
  };
}

function listed(
  processes: readonly [number, ProcessStat][],
  shims: ReadonlyMap<number, string>,
): Pick<ProcessGroup, 'processCount' | 'processes'> {
  const largest = processes
    .toSorted(([, a], [, b]) => b.residentPages - a.residentPages)
    .slice(0, mostListed);
  return {
    processCount: processes.length,
    processes: largest.map(([pid, stat]) => figureOf(pid, stat, shims.get(pid))),
  };
}

function figureOf(pid: number, stat: ProcessStat, serves: string | undefined): ProcessFigure {
  return {
    pid,
    parentPid: stat.parentPid,
    name: stat.name,
    startTicks: Number(stat.startTicks),
    cpuNanos: stat.cpuTicks * nanosPerTick,
    residentBytes: stat.residentPages * pageBytes,
    threads: stat.threads,
    ...(serves !== undefined && { servesContainer: serves }),
  };
}

/** Parses the line `cpu` of proc_stat(5), and proc_meminfo(5). */
export function machineUse(
  stat: string,
  meminfo: string,
): Pick<MachineProcesses, 'busyCpuNanos' | 'usedMemoryBytes'> {
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1] ?? 0);
  return {
    busyCpuNanos: processorTimes(stat).busy * nanosPerTick,
    usedMemoryBytes: (kibibytes('MemTotal') - kibibytes('MemAvailable')) * 1024,
  };
}
