/**
 * Resource control, in terms of what people limit.
 *
 * Glossary. A *driver* speaks one cgroup version. A *cgroup* is one container's group: a single
 * directory on v2, one directory per controller on v1. A *placement* is how the shim's child gets
 * into it before it runs anything of the image.
 *
 * One life: `driver.create(name, limits, devices)` makes the directories and writes the limits;
 * the shim enters through `placement()`; `update`, `usage`, `meter`, `freeze`, `thaw` and `processes` serve
 * the running container; `kill` ends every process; `remove` takes the directories away and is
 * safe to repeat. A crash between any two steps leaves directories that `driver.list()` finds and
 * the engine's sweep removes.
 */
import type { Lack } from '../contract/abilities.ts';
import type { Limits, Usage } from '../contract/limits.ts';
import type { OciDeviceRule } from '../contract/oci-runtime.ts';

export interface CgroupDriver {
  readonly version: 1 | 2;
  /** Controllers that this machine can limit with: `cpu`, `memory`, `pids`, `io`, `cpuset`, … */
  readonly controllers: readonly string[];
  /** Why this agent has no cgroups, and what to do about it. */
  readonly lack?: Lack;
  /** Throws invalid for a limit that this driver can never enforce. */
  check(limits: Limits): void;
  /** Makes the cgroup and applies limits and device rules. Nothing is left on failure. */
  create(name: string, limits: Limits, devices: readonly OciDeviceRule[]): Cgroup;
  /** The cgroup of a container that runs already. Changes nothing. */
  open(name: string): Cgroup;
  /** Names of every group under the agent's own parent, running or left behind. */
  list(): string[];
  /**
   * Removes the agent's parent cgroup if no container is left in it. The next `create` makes it
   * again.
   */
  removeParent(): void;
}

export interface Cgroup {
  readonly name: string;
  /** Directories of this group, by controller (`''` for the unified hierarchy of v2). */
  readonly paths: ReadonlyMap<string, string>;
  /** Opens what the shim needs to put its child here. The caller closes the descriptors. */
  placement(place?: Place): CgroupPlacement;
  /** Changes only the limits that are present; `null` removes one. */
  update(limits: Limits): void;
  usage(): Usage;
  /**
   * Reads the same figures as `usage` for a fifth of the cost, for callers that read repeatedly.
   */
  meter(): UsageMeter;
  /** How often the kernel OOM killed a process of this cgroup; 0 when the cgroup is gone. */
  oomKills(): number;
  freeze(): void;
  thaw(): void;
  isFrozen(): boolean;
  /**
   * Runs `work` while nothing inside can fork or exit. A cgroup that was frozen before stays
   * frozen.
   */
  whileFrozen<T>(work: () => T): T;
  /** Host pids of every process inside. */
  processes(): number[];
  /** Sends SIGKILL to every process inside, frozen or not. */
  kill(): void;
  /** Removes the directories, and waits briefly for dying processes. */
  remove(): Promise<void>;
}

/** Keeps the cgroup's files open. Reads zeroes once the cgroup is gone; must be closed then. */
export interface UsageMeter {
  read(): Usage;
  close(): void;
}

/** A place inside the cgroup. Without any of these fields it is the cgroup itself. */
export interface Place {
  /** A path of a cgroup that the container's processes have made. */
  below?: string | undefined;
  /** A process whose cgroup is used when the container's own takes no processes. */
  beside?: number | undefined;
}

export interface CgroupPlacement {
  /** v2: an O_PATH descriptor of the directory, for clone3's CLONE_INTO_CGROUP. */
  directoryFd?: number;
  /** v1: one `tasks` descriptor per hierarchy; the child, of one thread, writes "0" to each. */
  procsFds: number[];
}
