/**
 * Documents of `/corten/v1/…/pressure`, `history` and `suggestions` (docs/api.md): what a container used and how its
 * limits held it back, each second, and the events of limits. A value that was not observed is `null`.
 */

/** About one second of one container. Counts are of this interval, not since the start. */
export interface PressureSample {
  /** Unix time at the interval's end. */
  atMs: number;
  intervalMs: number;
  cpu: {
    usedMicros: number;
    /** Time in which the quota throttled the container, summed over CPUs. */
    throttledMicros: number;
    /** Periods of the quota that passed, and those in which it was used up. 0 without a quota. */
    periods: number;
    throttledPeriods: number;
  };
  memory: {
    /** Excludes page cache that the kernel can drop at once. */
    usedBytes: number;
    swapBytes: number;
    limitBytes: number | null;
    limitHits: number;
  };
  pids: {
    current: number;
    limit: number | null;
    /** Number of times that the limit refused a new process or thread. */
    refusals: number;
  };
  io: {
    readBytes: number;
    writtenBytes: number;
    readOperations: number;
    writeOperations: number;
  };
  oomKills: number;
  /** Whether writes failed with ENOSPC, because its disk limit, a volume or the machine's disk was full. */
  diskFull: boolean;
  /** cgroup v2 only. */
  stall: StallShares | null;
}

/** Share of the interval, 0 to 1, in which some tasks or all tasks stalled (psi.rst). */
export type StallShares = Record<StallResource, StallShare>;
export type StallResource = 'cpu' | 'memory' | 'io';
export interface StallShare {
  some: number;
  full: number;
}

export interface PressureSums {
  observedSeconds: number;
  throttledSeconds: number;
  periods: number;
  throttledPeriods: number;
  memoryLimitHits: number;
  pidsRefusals: number;
  oomKills: number;
  diskFullSeconds: number;
}

export type LimitEventKind = 'oom-kill' | 'pids-full' | 'memory-limit' | 'disk-full' | 'throttled';

/** A limit of a container took effect. */
export interface LimitEvent {
  atMs: number;
  kind: LimitEventKind;
  /** Number of kills, refusals, hits or seconds; for `throttled` the percentage of periods. */
  count: number;
  /** Of an `oom-kill`: the process that the kernel killed. Absent when the kernel's log does not name it. */
  process?: KilledProcess;
  /** Of `oom-kill` and `disk-full`: whether the container's limit was reached or the machine's memory or disk. */
  cause?: 'limit' | 'machine';
  /** Of `disk-full`: the full volume; absent when the container's own layer is full. */
  volume?: string;
  /** Why there is no `process`. */
  unknown?: string;
}

export interface KilledProcess {
  name: string;
  /** PID in the machine's PID namespace, not in the container's. */
  pid: number;
  /** Resident memory when it was killed. */
  memoryBytes: number;
}

export interface PressureDocument {
  id: string;
  name: string;
  running: boolean;
  /** The newest sample; null before the first. */
  sample: PressureSample | null;
  lastHour: PressureSums;
  /** Names of the values that this system does not offer, each with the reason. */
  absent: Record<string, string>;
}

export interface MachinePressureDocument {
  /** From /proc/pressure; null while nothing runs, or when the kernel keeps none. */
  machine: { atMs: number; intervalMs: number; stall: StallShares } | null;
  containers: PressureDocument[];
}

/** Columns of equal length: entry i is the step that begins at `fromMs + i * stepSeconds * 1000`. */
export interface HistoryDocument {
  id: string;
  fromMs: number;
  stepSeconds: number;
  columns: Record<HistoryColumn, (number | null)[]>;
  /** Shares of time, by resource; null when cgroups have no PSI (cgroup v1). */
  stall: Record<StallResource, (number | null)[]> | null;
  /** PSI of the whole machine, while any container ran. */
  machineStall: Record<StallResource, (number | null)[]> | null;
  /** Oldest first. */
  events: LimitEvent[];
  absent: Record<string, string>;
}

export type HistoryColumn =
  | 'observedSeconds'
  | 'cpus'
  | 'cpusPeak'
  | 'throttledShare'
  | 'memoryBytes'
  | 'swapBytes'
  | 'memoryLimitBytes'
  | 'memoryLimitHits'
  | 'pids'
  | 'pidsLimit'
  | 'pidsRefusals'
  | 'readBytesPerSecond'
  | 'writtenBytesPerSecond'
  | 'readOperationsPerSecond'
  | 'writeOperationsPerSecond'
  | 'oomKills'
  | 'diskFullSeconds';

export interface SuggestionsDocument {
  id: string;
  /** Observed seconds of the last hour. */
  observedSeconds: number;
  /** With fewer observed seconds, a suggestion is made only when a limit was reached. */
  neededSeconds: number;
  cpu: Suggestion<{ quotaMicros: number; periodMicros: number }>;
  memory: Suggestion<{ maxBytes: number }>;
  pids: Suggestion<number>;
}

/** `limits` can be sent as part of a limits document; null when there is nothing to suggest. */
export interface Suggestion<Limit> {
  limits: Limit | null;
  reason: SuggestionReason;
  /** In CPUs, bytes or processes, as `p95` and `limit`. */
  peak: number;
  p95: number;
  /** The current limit; null when not limited. */
  limit: number | null;
  /** Headroom above the use: 0.25 is a quarter. */
  headroomShare: number;
  /** Observed seconds in which the limit was reached. */
  limitedSeconds: number;
}

/**
 * `use`: the suggestion is the use with headroom. `limit-reached`: the limit capped the use, so the suggestion is a
 * higher limit. `fits`: the current limit is close to what would be suggested. `too-little-seen`: too few seconds were
 * observed. `machine-full`: the limit was reached and is all that the machine has.
 */
export type SuggestionReason =
  | 'use'
  | 'limit-reached'
  | 'fits'
  | 'too-little-seen'
  | 'machine-full';
