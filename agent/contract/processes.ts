/** All processes of the machine as one picture, grouped by who they belong to. */
import type { Limits } from './limits.ts';

export interface MachineProcesses {
  readAt: string;
  cpus: number;
  memoryBytes: number;
  /** All CPUs since boot, without the time that they were idle. */
  busyCpuNanos: number;
  /** Memory that is in use, without page cache that can go at once. */
  usedMemoryBytes: number;
  /** The machine's own processes first, then every running container. */
  groups: ProcessGroup[];
}

export interface ProcessGroup {
  /** Absent for the machine's own. */
  container?: { id: string; name: string; limits: Limits };
  /** A container's, as its control group counts; counters run from its start. */
  cpuNanos?: number;
  memoryBytes?: number;
  processCount: number;
  /** The largest by memory; fewer than `processCount` when there are very many. */
  processes: ProcessFigure[];
}

export interface ProcessFigure {
  pid: number;
  parentPid: number;
  /** What the process calls itself: any text. */
  name: string;
  /** Clock ticks since boot, which with the pid tells it from a later process. */
  startTicks: number;
  cpuNanos: number;
  /** The kernel counts it in steps: a very small process may have none. */
  residentBytes: number;
  threads: number;
  /** The container that this process of the machine serves (its shim). */
  servesContainer?: string;
}
