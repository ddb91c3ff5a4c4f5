/**
 * What a container had to do without, second by second, and who was to blame: the documents of
 * `/corten/v1/…/pressure`, `history` and `suggestions` (docs/api.md). Nothing observed is `null`.
 */

/** About one second of one container. Counts are those of the interval, not since the start. */
export interface PressureSample {
  /** Unix time at the interval's end. */
  atMs: number;
  intervalMs: number;
  cpu: {
    usedMicros: number;
    /** Time in which the quota kept it waiting, summed over CPUs. */
    throttledMicros: number;
    /** Periods of the quota that passed, and those in which it was used up. 0 without a quota. */
    periods: number;
    throttledPeriods: number;
  };
  memory: {
    /** Without page cache that can go at once. */
    usedBytes: number;
    swapBytes: number;
    limitBytes: number | null;
    limitHits: number;
  };
  pids: {
    current: number;
    limit: number | null;
    /** Times the limit refused a new process or thread. */
    refusals: number;
  };
  io: {
    readBytes: number;
    writtenBytes: number;
    readOperations: number;
    writeOperations: number;
  };
  oomKills: number;
  /** Whether there was no room for what it writes, by its limit's end, a volume's or the machine's. */
  diskFull: boolean;
  /** cgroup v2 only. */
  stall: StallShares | null;
}

/** Share of the interval, 0 to 1, in which somebody (`some`) or everybody (`full`) had to wait. */
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

export type BlameKind = 'oom-kill' | 'pids-full' | 'memory-limit' | 'disk-full' | 'throttled';

/** Something that a limit did to a container. */
export interface BlameEvent {
  atMs: number;
  kind: BlameKind;
  /** Kills, refusals, hits, seconds; for `throttled` the percentage of periods. */
  count: number;
  /** `oom-kill`: whom the kernel chose. Absent when its log does not say. */
  process?: BlamedProcess;
  /** `oom-kill`, `disk-full`: a limit of the container's own, or a machine that had nothing left. */
  cause?: 'limit' | 'machine';
  /** `disk-full`: the volume that is full; absent where the container's own files are. */
  volume?: string;
  /** Why there is no `process`. */
  unknown?: string;
}

export interface BlamedProcess {
  name: string;
  /** As the machine numbers it, not the container. */
  pid: number;
  /** What was resident when it was killed. */
  memoryBytes: number;
}

export interface PressureDocument {
  id: string;
  name: string;
  running: boolean;
  /** The newest; null before the first. */
  sample: PressureSample | null;
  lastHour: PressureSums;
  /** What cannot be known here, by name, with the reason. */
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
  /** Shares of time, by resource; null where groups have none (cgroup v1). */
  stall: Record<StallResource, (number | null)[]> | null;
  /** The whole machine's, while any container ran. */
  machineStall: Record<StallResource, (number | null)[]> | null;
  /** Oldest first. */
  events: BlameEvent[];
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
  /** Of the last hour. */
  observedSeconds: number;
  /** Below this, only a limit that was reached is a reason to suggest another. */
  neededSeconds: number;
  cpu: Suggestion<{ quotaMicros: number; periodMicros: number }>;
  memory: Suggestion<{ maxBytes: number }>;
  pids: Suggestion<number>;
}

/** `limits` fits into the limits document as it is; null when there is nothing to suggest. */
export interface Suggestion<Limit> {
  limits: Limit | null;
  reason: SuggestionReason;
  /** CPUs, bytes, processes. */
  peak: number;
  p95: number;
  /** What is set now; null without a limit. */
  limit: number | null;
  /** What was put on top: 0.25 is a quarter. */
  headroomShare: number;
  /** Of the observed seconds, those in which the limit was reached. */
  limitedSeconds: number;
}

/**
 * `use`: what was used, and headroom. `limit-reached`: the limit was in the way, so use says too
 * little and the limit itself is raised. `fits`: what is set is close to what would be suggested.
 * `too-little-seen`: wait. `machine-full`: the limit was reached and is all the machine has.
 */
export type SuggestionReason =
  | 'use'
  | 'limit-reached'
  | 'fits'
  | 'too-little-seen'
  | 'machine-full';
