/**
 * The control groups of an agent without root: the group that it is in, if that was handed over to its user
 * with all below it, as systemd does for `Delegate=yes` (systemd.resource-control(5)). as-user.ts asks for one.
 */
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Lack } from '../contract/abilities.ts';
import { parseMountinfo } from '../kernel/mountinfo.ts';
import { hasSystemd } from '../kernel/systemd.ts';
import { getXattr } from '../kernel/xattr.ts';
import type { CgroupDriver } from './cgroup.ts';
import { leafName } from './delegation.ts';
import { mountedGroups } from './detect.ts';
import type { GroupParent } from './directories.ts';
import type { BoundAll } from './floor.ts';
import { createNoCgroups } from './none.ts';
import { createV2Driver } from './v2.ts';

/** Contents of files in `/proc/self`, which tests replace. */
export interface OwnGroups {
  mountinfo: string;
  /** cgroups(7), "/proc/[pid]/cgroup". */
  memberships: string;
  /**
   * Whether systemd manages the cgroups. Then only a delegated subtree may be used, even if others
   * are writable.
   */
  managed: boolean;
}

const ownGroups = (): OwnGroups => ({
  mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
  memberships: readFileSync('/proc/self/cgroup', 'utf8'),
  managed: hasSystemd(),
});

/**
 * Always returns a driver; without cgroups one that refuses limits. `refusal` is why systemd
 * delegated none when asked.
 */
export function detectDelegatedDriver(
  {
    parent,
    refusal,
    boundAll,
  }: { parent: GroupParent; refusal?: string | undefined; boundAll?: BoundAll },
  groups = ownGroups(),
): CgroupDriver {
  const found = delegatedGroup(groups, refusal);
  if (typeof found === 'object') return createNoCgroups(found);
  // Nobody makes device nodes in a user namespace, and those of the machine are guarded by their modes.
  return createV2Driver(found, parent, { attachDevices: () => {}, boundAll });
}

/** The membership in the unified hierarchy. */
export const unifiedPath = (memberships: string) => /^0::(.*)$/m.exec(memberships)?.[1] ?? '/';

/** The delegated directory, or the reason why there is none. */
export function delegatedGroup(groups = ownGroups(), refusal?: string): string | Lack {
  const { unified, hierarchies } = mountedGroups(groups.mountinfo);
  if (['memory', 'cpu', 'pids'].some((name) => hierarchies.has(name)) || unified === undefined)
    return {
      cause: "This machine has cgroup v1, whose limits are root's alone.",
      nextStep:
        "Start the machine with systemd.unified_cgroup_hierarchy=1 on its kernel's command line, or run the agent as root: sudo scripts/agent.",
    };
  const own = ownDirectory(unified, groups);
  // The agent, or an earlier one, moved itself into a leaf (user-scope.ts, delegation.ts).
  const isLeaf = basename(own) === leafName;
  const directory = isLeaf ? dirname(own) : own;
  if (isWritable(directory) && (isLeaf || !groups.managed || isHandedOver(directory)))
    return directory;
  return {
    cause: `The control group ${directory} was not handed over to you${refusal === undefined ? '' : `: ${refusal}`}.`,
    nextStep:
      'Install the packages "dbus-user-session" and "libpam-systemd", log in at the machine or by ssh (not by su or sudo) and start the agent again, or run it as root: sudo scripts/agent.',
  };
}

function ownDirectory(unified: string, { mountinfo, memberships }: OwnGroups): string {
  const path = unifiedPath(memberships);
  // Of a mount that shows a part of the hierarchy, as in a container, paths begin there.
  const root = parseMountinfo(mountinfo).find(({ mountPoint }) => mountPoint === unified)?.root;
  const below =
    root !== undefined && root !== '/' && path.startsWith(root) ? path.slice(root.length) : path;
  return `${unified}${below}`.replace(/\/+$/, '');
}

/**
 * A delegated cgroup belongs to the user: its directory and cgroup.procs (cgroup-v2.rst, "Model of
 * Delegation").
 */
function isWritable(directory: string): boolean {
  try {
    for (const name of ['', '/cgroup.procs', '/cgroup.subtree_control'])
      accessSync(`${directory}${name}`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * systemd marks delegated units (systemd 251). Others are writable too, but belong to the user's
 * manager.
 */
function isHandedOver(directory: string): boolean {
  const fd = openSync(directory, constants.O_RDONLY);
  try {
    return getXattr(fd, 'user.delegate')?.toString() === '1';
  } finally {
    closeSync(fd);
  }
}
