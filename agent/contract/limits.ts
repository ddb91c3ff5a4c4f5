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
  hugetlb?: HugetlbLimits[];
  network?: NetworkRates;
  /** Files that each process may have open (RLIMIT_NOFILE). */
  openFiles?: number | null;
  log?: LogLimits;
  disk?: DiskLimits;
}

/** What a container gets that says nothing: it protects the machine from accidents. */
/** Of a container that says nothing: bytes, none at all, or where a limit costs nothing a share of what is free. */
export type DefaultDisk = number | 'none' | 'share';
/** Of a CPU quota, as the kernel's own. */
export const defaultPeriodMicros = 100_000;
export const defaultPids = 4096;
export const defaultLog = { maxBytes: 20 * 1024 * 1024, maxFiles: 3 } as const;

export interface CpuLimits {
  /** CPU time allowed in each period. */
  quotaMicros?: number | null;
  /** `defaultPeriodMicros` where none is said. */
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
  /** v2 only: above this the container is slowed down and its memory taken back, never killed. */
  highBytes?: number | null;
  /** v2 only, where it is the default: one process that is killed for memory takes all along. */
  oomGroup?: boolean | null;
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

/** Huge pages of one size, which no memory limit counts. */
export interface HugetlbLimits {
  /** One of the machine's sizes, such as 2097152. */
  pageBytes: number;
  maxBytes?: number | null;
  /** Counted when pages are reserved (mmap) instead of when they are touched: fails early, no SIGBUS. */
  reservedMaxBytes?: number | null;
}

/** Of each of a container's own interfaces; a container without one has nothing to limit. */
export interface NetworkRates {
  /** What it sends. */
  egressBytesPerSecond?: number | null;
  /** What it receives. */
  ingressBytesPerSecond?: number | null;
}

/** The log's size on disk is at most the product, give or take one record of 64 KiB. */
export interface LogLimits {
  /** `null`: one file that grows for ever. */
  maxBytes?: number | null;
  /** `null`: no file is ever removed. */
  maxFiles?: number | null;
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
  /** Undefined: nobody counts them. */
  usedInodes: number | undefined;
  /** As the file system holds it, which may be some more than was asked for. */
  maxInodes: number | undefined;
  /** The file system was made with that many, and its limit cannot be changed. */
  inodesAreFixed?: boolean;
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
  pids: {
    current: number;
    limit: number | undefined;
    /** Times the limit refused a new process or thread. */
    refusals: number;
  };
  io: IoUsage[];
  /** Pressure stall information of the group; undefined where the kernel keeps none (cgroup v1). */
  stall: Stall | undefined;
}

/** Every counter as it is when a group is made. */
export const nothingUsed: Usage = {
  cpu: {
    totalNanos: 0,
    userNanos: 0,
    systemNanos: 0,
    periods: 0,
    throttledPeriods: 0,
    throttledNanos: 0,
  },
  memory: {
    usageBytes: 0,
    maxUsageBytes: undefined,
    limitBytes: undefined,
    swapBytes: 0,
    inactiveFileBytes: 0,
    failures: 0,
    oomKills: 0,
    stat: {},
  },
  pids: { current: 0, limit: undefined, refusals: 0 },
  io: [],
  stall: undefined,
};

/** Time in which processes had to wait for a resource (Documentation/accounting/psi.rst). */
export type Stall = Record<'cpu' | 'memory' | 'io', StallTime>;

/** Counters. `some`: at least one process waited; `full`: nobody got anything done meanwhile. */
export interface StallTime {
  someMicros: number;
  fullMicros: number;
}

export interface IoUsage {
  major: number;
  minor: number;
  readBytes: number;
  writeBytes: number;
  readOperations: number;
  writeOperations: number;
}
