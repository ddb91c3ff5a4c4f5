/** Finds the machine's control groups and the driver for them. */
import { existsSync, readFileSync } from 'node:fs';
import { CortenError } from '../errors.ts';
import type { CgroupDriver } from './cgroup.ts';
import { childrenOf } from './processes.ts';
import { createV1Driver } from './v1.ts';
import { createV2Driver } from './v2.ts';

/**
 * `parent` names the group that holds this agent's containers; two agents with different parents
 * never meet. `root` stands in for `/sys/fs/cgroup`, for tests and odd mounts.
 */
export function detectCgroupDriver(options: { parent: string; root?: string }): CgroupDriver {
  const { unified, hierarchies } =
    options.root === undefined
      ? mountedGroups(readFileSync('/proc/self/mountinfo', 'utf8'))
      : groupsBelow(options.root);
  // A hybrid machine has both; what counts is where the controllers are.
  const controlled = ['memory', 'cpu', 'pids'].some((name) => hierarchies.has(name));
  if (controlled) return createV1Driver(hierarchies, options.parent);
  if (unified !== undefined) return createV2Driver(unified, options.parent);
  throw new CortenError(
    'internal',
    'No control groups are mounted: mount cgroup2 on /sys/fs/cgroup and start again.',
  );
}

export interface MountedGroups {
  unified: string | undefined;
  hierarchies: Map<string, string>;
}

/**
 * proc_pid_mountinfo(5): `36 35 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu`. The last field
 * names the controllers, and beside them options such as `rw` or `xattr` that are none.
 */
export function mountedGroups(mountinfo: string): MountedGroups {
  const groups: MountedGroups = { unified: undefined, hierarchies: new Map() };
  for (const line of mountinfo.split('\n')) {
    const [place = '', source = ''] = line.split(' - ');
    const directory = withoutEscapes(place.split(' ')[4] ?? '');
    const [type, , options = ''] = source.split(' ');
    if (type === 'cgroup2') groups.unified ??= directory;
    if (type !== 'cgroup') continue;
    for (const option of options.split(',')) {
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

/** Spaces and the like are octal escapes. */
function withoutEscapes(path: string): string {
  return path.replace(/\\(\d{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
