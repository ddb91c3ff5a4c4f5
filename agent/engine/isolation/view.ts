/**
 * One container's isolation as facts, before anything is said about it: read from the kernel
 * (kernel-view.ts) or taken from what a start would ask for (plan-view.ts).
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
  /** Names in each set. */
  capabilities: Record<CapabilitySet, readonly string[]>;
  noNewPrivileges: boolean;
  seccomp: 'none' | 'strict' | 'filter';
  /** The label of AppArmor, SELinux or another; undefined without one. */
  securityLabel: string | undefined;
  /** As the machine numbers them. */
  uid: number;
  gid: number;
  groups: readonly number[];
  uidMap: IdRange[];
  gidMap: IdRange[];
  mounts: MountEntry[];
  unlistedMounts: number;
  /** What became of the paths that tell of or reach the machine. */
  kernelPaths: ReadonlyMap<string, KernelPathFact['state']>;
  devices: { source: 'kernel' | 'record'; rules: string[] };
  resourceLimits: ResourceLimit[];
}

/** In the order in which people ask for them. */
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
  /** Ids of other containers in the same one. */
  sharedWith: string[];
}
