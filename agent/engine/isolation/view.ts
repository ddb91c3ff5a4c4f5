/**
 * One container's isolation as facts, read from the kernel (kernel-view.ts) or taken from what a
 * start would ask for (plan-view.ts).
 */
import type { ControllerValues } from '../../cgroup/control-values.ts';
import type { CapabilityFact, KernelPathFact, NamespaceType } from '../../contract/isolation.ts';
import type { MountEntry } from '../../kernel/mountinfo.ts';
import type { ResourceLimit } from '../../kernel/process-limits.ts';
import type { IdRange } from '../../kernel/process-status.ts';

export type CapabilitySet = CapabilityFact['sets'][number];

export interface IsolationView {
  namespaces: NamespaceView[];
  controllers: (ControllerValues & { membership?: string })[];
  /** The capability names in each set. */
  capabilities: Record<CapabilitySet, readonly string[]>;
  noNewPrivileges: boolean;
  seccomp: 'none' | 'strict' | 'filter';
  /** The label of AppArmor, SELinux or another security module. Undefined without one. */
  securityLabel: string | undefined;
  /** The ids on the host. */
  uid: number;
  gid: number;
  groups: readonly number[];
  uidMap: IdRange[];
  gidMap: IdRange[];
  mounts: MountEntry[];
  unlistedMounts: number;
  /** The state of the paths that reveal or reach the machine. */
  kernelPaths: ReadonlyMap<string, KernelPathFact['state']>;
  devices: { source: 'kernel' | 'record'; rules: string[] };
  resourceLimits: ResourceLimit[];
}

/** The order in which reports list namespaces. */
export const namespaceTypes: readonly NamespaceType[] = [
  'pid',
  'mount',
  'network',
  'user',
  'ipc',
  'uts',
  'cgroup',
  'time',
];

export interface NamespaceView {
  type: NamespaceType;
  insideId?: number;
  hostId?: number;
  scope: 'own' | 'host' | 'shared';
  /** Ids of other containers in the same namespace. */
  sharedWith: string[];
}
