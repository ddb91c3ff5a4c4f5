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
  /** Why there are no control groups at all, and what to do. */
  readonly lack?: Lack;
  /** Throws invalid for a limit that this driver could never keep, running or not. */
  check(limits: Limits): void;
  /** Makes the group and applies limits and the device allow-list; on failure nothing is left. */
  create(name: string, limits: Limits, devices: readonly OciDeviceRule[]): Cgroup;
  /** The group of a container that already runs (after an agent restart). Touches nothing. */
  open(name: string): Cgroup;
  /** Names of every group under the agent's own parent, running or left behind. */
  list(): string[];
  /** Removes the agent's own parent if no container is left in it; it comes back by itself. */
  removeParent(): void;
}

export interface Cgroup {
  readonly name: string;
  /** Directories of this group, by controller (`''` for the unified hierarchy of v2). */
  readonly paths: ReadonlyMap<string, string>;
  /** Opens what the shim needs to put its child here. The caller closes the descriptors. */
  placement(place?: Place): CgroupPlacement;
  /** Changes only what is present in `limits`; `null` takes a limit away. */
  update(limits: Limits): void;
  /** For one without a memory limit of its own: what all others need by now (floor.ts). */
  leaveToOthers(othersBytes: number): void;
  usage(): Usage;
  /** For who reads again and again: the same figures for a fifth of the effort. */
  meter(): UsageMeter;
  /** Times the kernel killed a process of this group for memory; 0 when the group is gone. */
  oomKills(): number;
  freeze(): void;
  thaw(): void;
  isFrozen(): boolean;
  /** Does `work` while nothing inside can fork or end; a group that was frozen stays so. */
  whileFrozen<T>(work: () => T): T;
  /** Host pids of every process inside. */
  processes(): number[];
  /** SIGKILL to every process inside, frozen or not. */
  kill(): void;
  /** Removes the directories; waits briefly for the kernel to let go of dying processes. */
  remove(): Promise<void>;
}

/** Keeps the group's files open. Once the group is gone it reads zeroes; close it by then. */
export interface UsageMeter {
  read(): Usage;
  close(): void;
}

/** Where in the group; without any of these, in the group itself. */
export interface Place {
  /** A group that its processes have made: a path below it. */
  below?: string | undefined;
  /** A process of it, by whose side there is a place where the group itself has none. */
  beside?: number | undefined;
}

export interface CgroupPlacement {
  /** v2: an O_PATH descriptor of the directory, for clone3's CLONE_INTO_CGROUP. */
  directoryFd?: number;
  /** v1: one `tasks` descriptor per hierarchy; the child, of one thread, writes "0" to each. */
  procsFds: number[];
}
