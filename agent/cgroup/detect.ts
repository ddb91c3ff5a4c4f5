/** Finds the machine's control groups and the driver for them. */
import { existsSync, readFileSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import type { CgroupDriver } from './cgroup.ts';
import type { GroupParent } from './directories.ts';
import type { BoundAll } from './floor.ts';
import { childrenOf } from './processes.ts';
import { createV1Driver } from './v1.ts';
import { createV2Driver } from './v2.ts';

/**
 * `parent` names the group that holds this agent's containers; two agents with different parents
 * never meet. `root` stands in for `/sys/fs/cgroup`, for tests and odd mounts.
 */
export function detectCgroupDriver(options: {
  parent: GroupParent;
  root?: string;
  boundAll?: BoundAll;
}): CgroupDriver {
  const { parent, boundAll } = options;
  const { unified, hierarchies } =
    options.root === undefined
      ? mountedGroups(readFileSync('/proc/self/mountinfo', 'utf8'))
      : groupsBelow(options.root);
  // A hybrid machine has both; what counts is where the controllers are.
  const controlled = ['memory', 'cpu', 'pids'].some((name) => hierarchies.has(name));
  if (controlled) return createV1Driver(hierarchies, parent, { unifiedMount: unified, boundAll });
  if (unified !== undefined) return createV2Driver(unified, parent, { boundAll });
  throw new CortenError(
    'internal',
    'No control groups are mounted: mount cgroup2 on /sys/fs/cgroup and start again.',
  );
}

export interface MountedGroups {
  unified: string | undefined;
  hierarchies: Map<string, string>;
}

/** Mount options name the controllers of a hierarchy, among others such as `rw` and `xattr`. */
export function mountedGroups(mountinfo: string): MountedGroups {
  const groups: MountedGroups = { unified: undefined, hierarchies: new Map() };
  for (const { type, mountPoint: directory, superOptions } of parseMountinfo(mountinfo)) {
    if (type === 'cgroup2') groups.unified ??= directory;
    if (type !== 'cgroup') continue;
    for (const option of superOptions) {
      const controller = option.startsWith('name=') ? option.slice(5) : option;
      const known = knownControllers.has(controller) || option.startsWith('name=');
      // The first mount of a hierarchy is the machine's; later ones are somebody's bind mounts.
      if (known && !groups.hierarchies.has(controller))
        groups.hierarchies.set(controller, directory);
    }
  }
  return groups;
}

/** include/linux/cgroup_subsys.h. */
const knownControllers = new Set([
  'cpuset',
  'cpu',
  'cpuacct',
  'blkio',
  'memory',
  'devices',
  'freezer',
  'net_cls',
  'perf_event',
  'net_prio',
  'hugetlb',
  'pids',
  'rdma',
  'misc',
]);

function groupsBelow(root: string): MountedGroups {
  if (existsSync(`${root}/cgroup.controllers`)) return { unified: root, hierarchies: new Map() };
  const names = childrenOf(root).filter((name) => knownControllers.has(name));
  return {
    unified: undefined,
    hierarchies: new Map(names.map((name) => [name, `${root}/${name}`])),
  };
}
