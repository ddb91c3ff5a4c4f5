/**
 * The part of the OCI runtime specification 1.2 that the runtime reads. Field names are the
 * specification's (config.md, config-linux.md), so that a bundle's config.json is one of these.
 */
export interface OciSpec {
  ociVersion: string;
  process: OciProcess;
  root: { path: string; readonly?: boolean };
  hostname?: string;
  domainname?: string;
  mounts: OciMount[];
  hooks?: OciHooks;
  annotations?: Record<string, string>;
  linux: OciLinux;
}

/** config.md, "POSIX-platform Hooks", in the order in which they are called. */
export const hookNames = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
export type OciHookName = (typeof hookNames)[number];
export type OciHooks = Partial<Record<OciHookName, OciHook[]>>;

export interface OciHook {
  path: string;
  args?: string[];
  env?: string[];
  /** In seconds. */
  timeout?: number;
}

export interface OciProcess {
  terminal?: boolean;
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; additionalGids?: number[]; umask?: number };
  args: string[];
  env: string[];
  cwd: string;
  capabilities?: {
    bounding?: string[];
    effective?: string[];
    permitted?: string[];
    inheritable?: string[];
    ambient?: string[];
  };
  rlimits?: { type: string; soft: number; hard: number }[];
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  /** Times in nanoseconds, for SCHED_DEADLINE. */
  scheduler?: {
    policy: string;
    nice?: number;
    priority?: number;
    flags?: string[];
    runtime?: number;
    deadline?: number;
    period?: number;
  };
  ioPriority?: { class: string; priority: number };
  apparmorProfile?: string;
  selinuxLabel?: string;
  /** Lists of processors (cpuset(7)) of an exec'd process: until it is in the container's group, and from then on. */
  execCPUAffinity?: { initial?: string; final?: string };
}

export interface OciMount {
  destination: string;
  type?: string;
  source?: string;
  /** mount(8) options: `ro`, `nosuid`, `rbind`, `size=64m`, … */
  options?: string[];
  /** Of a bind with ids of its own: `containerID` is on the source's file system, `hostID` on the mount. */
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
}

export type OciNamespaceType =
  | 'pid'
  | 'network'
  | 'mount'
  | 'ipc'
  | 'uts'
  | 'user'
  | 'cgroup'
  | 'time';

export interface OciLinux {
  /** A namespace that is listed is new, or joined by `path`; one that is not listed is the host's. */
  namespaces: { type: OciNamespaceType; path?: string }[];
  devices?: OciDevice[];
  maskedPaths?: string[];
  readonlyPaths?: string[];
  sysctl?: Record<string, string>;
  seccomp?: OciSeccomp;
  rootfsPropagation?: string;
  /** Ids of the user namespace; needed when it is a new one. */
  uidMappings?: OciIdMapping[];
  gidMappings?: OciIdMapping[];
  cgroupsPath?: string;
  resources?: OciResources;
  /** What is added to each clock of a new time namespace. */
  timeOffsets?: Partial<Record<'monotonic' | 'boottime', { secs: number; nanosecs: number }>>;
  personality?: { domain: 'LINUX' | 'LINUX32' };
  mountLabel?: string;
  intelRdt?: OciIntelRdt;
}

export interface OciIntelRdt {
  closID?: string;
  l3CacheSchema?: string;
  memBwSchema?: string;
  enableCMT?: boolean;
  enableMBM?: boolean;
}

/** config-linux.md, from "Memory" on. -1 is no limit. The OCI command reads it; the engine has Limits. */
export interface OciResources {
  devices?: { allow: boolean; type?: string; major?: number; minor?: number; access?: string }[];
  memory?: {
    limit?: number;
    reservation?: number;
    swap?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
  };
  cpu?: {
    shares?: number;
    quota?: number;
    burst?: number;
    period?: number;
    realtimeRuntime?: number;
    realtimePeriod?: number;
    cpus?: string;
    mems?: string;
    idle?: number;
  };
  pids?: { limit?: number };
  blockIO?: {
    weight?: number;
    leafWeight?: number;
    weightDevice?: { major: number; minor: number; weight?: number; leafWeight?: number }[];
    throttleReadBpsDevice?: OciThrottle[];
    throttleWriteBpsDevice?: OciThrottle[];
    throttleReadIOPSDevice?: OciThrottle[];
    throttleWriteIOPSDevice?: OciThrottle[];
  };
  hugepageLimits?: { pageSize: string; limit: number }[];
  network?: { classID?: number; priorities?: { name: string; priority: number }[] };
  rdma?: Record<string, { hcaHandles?: number; hcaObjects?: number }>;
  unified?: Record<string, string>;
}

export interface OciThrottle {
  major: number;
  minor: number;
  rate: number;
}

export interface OciIdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface OciDevice {
  path: string;
  type: 'c' | 'b' | 'p' | 'u';
  major: number;
  minor: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
}

export interface OciSeccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  /** Who answers for SCMP_ACT_NOTIFY listens on this socket, and gets the text with each filter. */
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: {
    names: string[];
    action: string;
    errnoRet?: number;
    args?: { index: number; value: number; valueTwo?: number; op: string }[];
  }[];
}

/** One rule of the cgroup's device allow-list (config-linux.md, "Allowed Device list"). */
export interface OciDeviceRule {
  allow: boolean;
  type: 'a' | 'b' | 'c';
  /** Absent: any. */
  major?: number;
  minor?: number;
  /** Some of `r`, `w`, `m`. */
  access: string;
}
