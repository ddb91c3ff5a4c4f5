/**
 * The isolation report: what a container is kept from, and by what. Every item has a stable id and
 * its sentence, `meaning`, in English; whoever translates goes by the id and falls back on the
 * sentence, so that nobody writes it twice.
 */
import type { Limits } from './limits.ts';

export interface IsolationReport {
  containerId: string;
  name: string;
  /** `kernel`: read from the running container. `plan`: what a start would ask the kernel for. */
  source: 'kernel' | 'plan';
  readAt: string;
  /** What is weaker than the default, the gravest first. */
  warnings: IsolationWarning[];
  namespaces: NamespaceFact[];
  controlGroup: ControlGroupFact;
  capabilities: CapabilityFact[];
  privileges: PrivilegeFact[];
  identity: IdentityFact;
  mounts: MountFact[];
  /** Mounts beyond the longest list that is shown. */
  unlistedMounts: number;
  kernelPaths: KernelPathFact[];
  devices: DeviceFact[];
  resourceLimits: ResourceLimitFact[];
  otherLimits: OtherLimitFact[];
}

export interface Explained {
  /** Stable, such as `namespace.network.own`; the key of a translation. */
  id: string;
  /** One English sentence: what this keeps the container from, or fails to. */
  meaning: string;
}

export interface IsolationWarning extends Explained {
  severity: 'high' | 'medium' | 'low';
  /** What it is about, such as a path or a capability. */
  subject?: string;
  /** How to change it. */
  remedy: string;
}

export type NamespaceType =
  | 'mount'
  | 'pid'
  | 'network'
  | 'ipc'
  | 'uts'
  | 'user'
  | 'cgroup'
  | 'time';

export interface NamespaceFact extends Explained {
  type: NamespaceType;
  /** The kernel's number; absent for a plan, in which what is new has none yet. */
  insideId?: number;
  /** The machine's own. */
  hostId?: number;
  scope: 'own' | 'host' | 'shared';
  /** Other containers that are in the same one. */
  sharedWith: { id: string; name: string }[];
}

export interface ControlGroupFact extends Explained {
  version: 1 | 2;
  /** What was asked for. */
  asked: Limits;
  /** Empty for a plan: a group is made at the start. */
  controllers: ControllerFact[];
}

export interface ControllerFact extends Explained {
  controller: string;
  /** Directory of the group on the machine. */
  directory: string;
  /** Where the kernel says the container's first process is, below the hierarchy's root. */
  membership?: string;
  /** The kernel's files that hold a limit, as they are. */
  values: { file: string; value: string }[];
}

export interface CapabilityFact extends Explained {
  name: string;
  /** Sets that have it; empty when the container is kept from it. */
  sets: ('effective' | 'permitted' | 'bounding' | 'ambient' | 'inheritable')[];
  asked: boolean;
  byDefault: boolean;
}

export interface PrivilegeFact extends Explained {
  name: string;
  value: string;
  /** Absent where nothing can be asked for. */
  asked?: string;
}

export interface IdentityFact extends Explained {
  /** As the container numbers them; absent for an id that is not mapped into it. */
  uid?: number;
  gid?: number;
  groups: number[];
  /** As the machine numbers them. */
  hostUid: number;
  hostGid: number;
  /** What was asked for: a name, a number, or empty for the image's own. */
  asked: string;
  uidMap: IdMapping[];
  gidMap: IdMapping[];
}

export interface IdMapping {
  inside: number;
  outside: number;
  count: number;
}

export interface MountFact extends Explained {
  target: string;
  type: string;
  source: string;
  /** Which directory of the file system is mounted. */
  root: string;
  readOnly: boolean;
  noSuid: boolean;
  noDev: boolean;
  noExec: boolean;
  /** `guard`: hides or protects a part of `/proc` or `/sys`. `inside`: the container's own doing. */
  origin: 'root' | 'engine' | 'guard' | 'bind' | 'volume' | 'tmpfs' | 'inside';
}

export interface KernelPathFact extends Explained {
  path: string;
  asked: 'masked' | 'read-only' | 'open';
  /** `absent`: this kernel has no such path. */
  state: 'masked' | 'read-only' | 'open' | 'absent';
}

export interface DeviceFact extends Explained {
  /** As the v1 controller writes it: `c 1:3 rwm`. */
  rule: string;
  /** What people call it, where it has a name. */
  name?: string;
  /** `record`: the kernel has it as a program, which cannot be read back (cgroup v2). */
  source: 'kernel' | 'record';
}

/** What neither the group nor a process's own limits hold: by the file system, and by tc. */
export interface OtherLimitFact extends Explained {
  name: 'disk' | 'network';
  /** `network`: which one. */
  subject?: string;
  /** As the kernel has it; null: no limit. */
  values: { what: string; value: number | null }[];
}

export interface ResourceLimitFact extends Explained {
  /** As the kernel names it: `Max open files`. */
  name: string;
  soft: string;
  hard: string;
  unit: string;
  asked: boolean;
}
