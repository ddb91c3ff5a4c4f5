/**
 * What people limit. Absent means "as it is" in an update and "unlimited" in a new container;
 * `null` means "take the limit away".
 */
export interface Limits {
  cpu?: CpuLimits;
  memory?: MemoryLimits;
  /** Processes and threads together. */
  pids?: number | null;
  io?: IoLimits;
  disk?: DiskLimits;
}

export interface CpuLimits {
  /** CPU time allowed in each period. */
  quotaMicros?: number | null;
  /** Default 100,000. */
  periodMicros?: number | null;
  /** Time that may be saved up for a burst; at most the quota. */
  burstMicros?: number | null;
  /** Relative weight in Docker's scale: 2 to 262144, 1024 is one share. */
  shares?: number | null;
  /** CPU list, such as `0-2,4` (cpuset(7)). */
  cpus?: string | null;
  /** Memory node list. */
  mems?: string | null;
}

export interface MemoryLimits {
  maxBytes?: number | null;
  /** Memory and swap together, as Docker counts it; equal to maxBytes means no swap. */
  maxWithSwapBytes?: number | null;
  /** What the kernel tries not to reclaim below. */
  reservationBytes?: number | null;
  /** v1 only, 0 to 100. */
  swappiness?: number | null;
  oomKillDisabled?: boolean;
}

export interface IoLimits {
  /** 10 to 1000, Docker's scale. */
  weight?: number | null;
  devices?: IoDeviceLimits[];
}

export interface IoDeviceLimits {
  /** A block device on the machine: its path, such as `/dev/vda`, or its `major:minor`. */
  device: string;
  weight?: number | null;
  readBytesPerSecond?: number | null;
  writeBytesPerSecond?: number | null;
  readOperationsPerSecond?: number | null;
  writeOperationsPerSecond?: number | null;
}

/** Room for the journal of a file system of its own, and for the first few files. */
export const minDiskBytes = 4 * 1024 * 1024;
export const minDiskInodes = 64;

/** Of a container's writable layer, or of a volume. */
export interface DiskLimits {
  maxBytes?: number | null;
  /** Files, directories, links and all else that has a name. */
  maxInodes?: number | null;
}

/** What a limited place on the disk holds now. */
export interface SpaceUsage {
  usedBytes: number;
  /** Undefined: no limit. */
  maxBytes: number | undefined;
  usedInodes: number;
  /** As the file system holds it, which may be some more than was asked for. */
  maxInodes: number | undefined;
}

/** What a container uses now, as the kernel counts it. Counters run from the container's start. */
export interface Usage {
  cpu: {
    totalNanos: number;
    userNanos: number;
    systemNanos: number;
    perCpuNanos?: number[];
    periods: number;
    throttledPeriods: number;
    throttledNanos: number;
  };
  memory: {
    /** Everything charged, page cache included. */
    usageBytes: number;
    maxUsageBytes: number | undefined;
    /** Undefined: no limit. */
    limitBytes: number | undefined;
    swapBytes: number;
    /** Page cache that can go at once; usage minus this is what people call "used". */
    inactiveFileBytes: number;
    /** Times the limit was hit. */
    failures: number;
    oomKills: number;
    /** The kernel's memory.stat as it is, for Docker's stats. */
    stat: Record<string, number>;
  };
  pids: { current: number; limit: number | undefined };
  io: IoUsage[];
}

export interface IoUsage {
  major: number;
  minor: number;
  readBytes: number;
  writeBytes: number;
  readOperations: number;
  writeOperations: number;
}
