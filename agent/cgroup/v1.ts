/**
 * The driver for cgroup v1: one hierarchy a controller, so that a group is several directories of
 * one name (Documentation/admin-guide/cgroup-v1). Hybrid machines are served here too, as long as
 * their controllers are on v1.
 */
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import type { HugetlbLimits, Limits, Usage } from '../contract/limits.ts';
import type { OciDeviceRule } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { Cgroup, CgroupDriver, CgroupPlacement, Place, UsageMeter } from './cgroup.ts';
import { hasControl, type ReadFile, readControl, writeControl } from './control-file.ts';
import { applyCpuV1, readCpuV1 } from './cpu.ts';
import { applyCpusetV1, fillCpusetsBelowV1, inheritCpusetV1 } from './cpuset.ts';
import { applyDevicesV1 } from './devices.ts';
import {
  checkName,
  type GroupParent,
  groupPath,
  makeGroup,
  parentPath,
  removeAtOnce,
  removeEmpty,
  removeGroups,
} from './directories.ts';
import { applyDefaultMemoryLimit, type BoundAll, memoryFilesV1 } from './floor.ts';
import { freezeV1, isFrozenV1, thawV1 } from './freezer.ts';
import { applyHugetlbV1, applyHugetlbV2, checkPageSizes, UnifiedHugetlb } from './hugetlb.ts';
import { applyIoV1, readIoV1 } from './io.ts';
import { applyMemoryV1, checkMemoryV1, oomKillsV1, readMemoryV1 } from './memory.ts';
import { asksForAny, missingController } from './missing-controller.ts';
import { cachingMeter } from './open-control-files.ts';
import { applyPids, readPids } from './pids.ts';
import { directoryBelow } from './place.ts';
import { childrenOf, killAll, processesBelow } from './processes.ts';

/** The one controller with another name in the kernel. */
const kernelName: Record<string, string> = { io: 'blkio' };
const killRounds = 20;
/** Nobody waits long for a freeze that only makes the kill shorter: about 20 ms. */
const killFreezeAttempts = 200;

/** Controller (`cpu`, `blkio`, `systemd`, …) -> where its hierarchy is mounted. */
export type Hierarchies = ReadonlyMap<string, string>;

export interface V1Options {
  /** The v2 hierarchy of a hybrid machine, for the controllers that only it has. */
  unifiedMount?: string | undefined;
  boundAll?: BoundAll | undefined;
}

export function createV1Driver(
  hierarchies: Hierarchies,
  within: GroupParent,
  { unifiedMount, boundAll }: V1Options = {},
): CgroupDriver {
  const parent = parentPath(within);
  const unified = hierarchies.has('hugetlb')
    ? undefined
    : UnifiedHugetlb.find(unifiedMount, parent);
  const open = (name: string) => {
    checkName(name);
    return new CgroupV1(name, parent, hierarchies, {
      unified,
      keepsGroups: typeof within !== 'string',
      boundAll,
    });
  };
  const parents = () => [
    ...[...new Set(hierarchies.values())].map((mount) => groupPath(mount, parent)),
    ...(unified === undefined ? [] : [unified.parent]),
  ];
  return {
    version: 1,
    controllers: [
      ...[...hierarchies.keys()].map((name) => (name === 'blkio' ? 'io' : name)),
      ...(unified === undefined ? [] : ['hugetlb']),
    ],
    check(limits) {
      checkMemoryV1(limits.memory ?? {});
      checkPageSizes(limits.hugetlb ?? []);
    },
    create(name, limits, devices) {
      const group = open(name);
      group.make(limits, devices);
      return group;
    },
    open,
    list: () => [...new Set(parents().flatMap(childrenOf))],
    removeParent() {
      if (parent === '') return;
      for (const directory of parents()) removeEmpty(directory);
    },
  };
}

interface OwnerOptions {
  unified: UnifiedHugetlb | undefined;
  /** Whether existing cgroups belong to their makers and are kept. */
  keepsGroups: boolean;
  boundAll: BoundAll | undefined;
}

class CgroupV1 implements Cgroup {
  readonly name: string;
  readonly paths: ReadonlyMap<string, string>;
  readonly #parents: ReadonlyMap<string, string>;
  readonly #unified: UnifiedHugetlb | undefined;
  readonly #boundAll: BoundAll | undefined;
  readonly #keepsGroups: boolean;

  constructor(
    name: string,
    parent: string,
    hierarchies: Hierarchies,
    { unified, keepsGroups, boundAll }: OwnerOptions,
  ) {
    this.name = name;
    this.#keepsGroups = keepsGroups;
    this.#boundAll = boundAll;
    this.#unified = unified;
    const mounts = [...hierarchies];
    this.#parents = new Map(mounts.map(([key, mount]) => [key, groupPath(mount, parent)]));
    this.paths = new Map(mounts.map(([key, mount]) => [key, groupPath(mount, parent, name)]));
  }

  make(limits: Limits, devices: readonly OciDeviceRule[]): void {
    try {
      for (const [controller, directory] of this.#directories())
        this.#makeIn(controller, directory);
      this.#applyDefaultMemoryLimit();
      this.update(limits);
      this.#applyDevices(devices);
    } catch (error) {
      for (const directory of this.#everywhere()) removeAtOnce(directory);
      throw error;
    }
  }

  /**
   * The child enters by writing 0 to `tasks`, not to `cgroup.procs`: a thread that moves itself needs
   * no lock, while a process that moves takes one that waits for an RCU grace period of 5 to 20 ms
   * (cgroup_procs_write_start, kernel/cgroup/cgroup.c). With one thread they come to the same.
   */
  placement({ below = '' }: Place = {}): CgroupPlacement {
    const procsFds: number[] = [];
    try {
      for (const [, directory] of this.#directories())
        procsFds.push(openSync(`${directoryBelow(directory, below)}/tasks`, constants.O_WRONLY));
      return { directoryFd: this.#unified?.open(this.name), procsFds };
    } catch (error) {
      for (const fd of procsFds) closeSync(fd);
      throw error;
    }
  }

  update(limits: Limits): void {
    const { cpu = {}, memory = {}, pids, io = {}, hugetlb = [] } = limits;
    const { cpus, mems, ...time } = cpu;
    this.#with('cpu', Object.values(time), (directory) => applyCpuV1(directory, cpu));
    this.#with('cpuset', [cpus, mems], (directory) =>
      applyCpusetV1(directory, this.#parent('cpuset'), cpu),
    );
    this.#with('memory', Object.values(memory), (directory) => {
      applyMemoryV1(directory, memory);
      if (memory.maxBytes === null) this.#applyDefaultMemoryLimit();
    });
    this.#with('pids', [pids], (directory) => {
      if (pids !== undefined) applyPids(directory, pids);
    });
    this.#with('io', Object.values(io), (directory) => applyIoV1(directory, io));
    this.#updateHugetlb(hugetlb);
  }

  usage(): Usage {
    return this.#usage();
  }

  meter(): UsageMeter {
    return cachingMeter((read) => this.#usage(read));
  }

  #usage(read?: ReadFile): Usage {
    const nothing = '/nonexistent';
    return {
      cpu: readCpuV1(this.paths.get('cpu'), this.paths.get('cpuacct'), read),
      memory: readMemoryV1(this.paths.get('memory') ?? nothing, read),
      pids: readPids(this.paths.get('pids') ?? nothing, read),
      io: readIoV1(this.paths.get('blkio') ?? nothing, read),
      // Groups of v1 have no pressure files; the machine's own are in /proc/pressure.
      stall: undefined,
    };
  }

  oomKills(): number {
    const directory = this.paths.get('memory');
    return directory === undefined ? 0 : oomKillsV1(directory);
  }

  freeze(): void {
    freezeV1(this.#freezer());
  }

  thaw(): void {
    thawV1(this.#freezer());
  }

  isFrozen(): boolean {
    const directory = this.paths.get('freezer');
    return directory !== undefined && isFrozenV1(directory);
  }

  whileFrozen<T>(work: () => T): T {
    const freezer = this.#freezer();
    if (isFrozenV1(freezer)) return work();
    freezeV1(freezer);
    try {
      return work();
    } finally {
      thawV1(freezer);
    }
  }

  processes(): number[] {
    const [directory] = this.paths.values();
    return directory === undefined ? [] : processesBelow(directory);
  }

  /**
   * Frozen processes cannot fork, so one pass meets them all; the signal reaches them when they
   * thaw. Where freezing fails, further passes catch up with whoever forks.
   */
  kill(): void {
    const freezer = this.paths.get('freezer');
    for (let round = 0; round < killRounds && this.processes().length > 0; round += 1) {
      const frozen = freezer !== undefined && this.#triesToFreeze(freezer);
      killAll(this.processes());
      if (freezer !== undefined) thawV1(freezer);
      if (frozen) return;
    }
  }

  async remove(): Promise<void> {
    await removeGroups(this.#everywhere());
  }

  #updateHugetlb(limits: readonly HugetlbLimits[]): void {
    checkPageSizes(limits);
    const unified = this.#unified;
    if (unified === undefined) {
      const asked = limits.flatMap(({ maxBytes, reservedMaxBytes }) => [
        maxBytes,
        reservedMaxBytes,
      ]);
      this.#with('hugetlb', asked, (directory) => applyHugetlbV1(directory, limits));
      return;
    }
    if (limits.length === 0) return;
    if (!unified.exists(this.name)) {
      unified.make(this.name);
      if (this.processes().length > 0)
        this.whileFrozen(() => unified.moveIn(this.name, this.processes()));
    }
    applyHugetlbV2(unified.directory(this.name), limits);
  }

  #triesToFreeze(freezer: string): boolean {
    try {
      freezeV1(freezer, killFreezeAttempts);
      return true;
    } catch (error) {
      // A process inside a system call gets SIGKILL when it returns.
      if (error instanceof CortenError) return false;
      throw error;
    }
  }

  #makeIn(controller: string, directory: string): void {
    const parent = this.#parent(controller);
    try {
      makeGroup(directory, this.#keepsGroups);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      makeParent(parent);
      this.#boundAll?.(parent);
      makeGroup(directory, this.#keepsGroups);
    }
    if (this.paths.get('cpuset') === directory) inheritCpusetV1(directory, parent);
  }

  #applyDefaultMemoryLimit(): void {
    const directory = this.paths.get('memory');
    if (this.#boundAll !== undefined && directory !== undefined)
      applyDefaultMemoryLimit(directory, memoryFilesV1);
  }

  #applyDevices(devices: readonly OciDeviceRule[]): void {
    const directory = this.paths.get('devices');
    if (directory === undefined)
      throw new CortenError(
        'internal',
        'This machine has no devices controller, so a container could open every disk: nothing is started.',
      );
    applyDevicesV1(directory, devices);
  }

  #with(controller: string, asked: readonly unknown[], apply: (directory: string) => void): void {
    const directory = this.paths.get(kernelName[controller] ?? controller);
    if (directory !== undefined) apply(directory);
    else if (asksForAny(asked)) throw missingController(controller);
  }

  /** Every directory once: some machines mount cpu and cpuacct as one hierarchy. */
  #directories(): [controller: string, directory: string][] {
    const byDirectory = new Map([...this.paths].map(([key, directory]) => [directory, key]));
    return [...byDirectory].map(([directory, key]) => [key, directory]);
  }

  /** With the group of the v2 hierarchy, where there is one. */
  #everywhere(): string[] {
    const directories = this.#directories().map(([, directory]) => directory);
    return this.#unified?.exists(this.name)
      ? [...directories, this.#unified.directory(this.name)]
      : directories;
  }

  #parent(controller: string): string {
    return this.#parents.get(controller) ?? '';
  }

  #freezer(): string {
    const directory = this.paths.get('freezer');
    if (directory === undefined) throw missingController('freezer');
    return directory;
  }
}

/** The group that holds the containers, and those above it; made when the first container needs it. */
function makeParent(directory: string): void {
  const above = directory.slice(0, directory.lastIndexOf('/'));
  try {
    mkdirSync(directory);
  } catch (error) {
    // Another process may use the same parent.
    if (hasErrno(error, 'EEXIST')) return;
    if (!hasErrno(error, 'ENOENT')) throw error;
    makeParent(above);
    mkdirSync(directory);
  }
  if (hasControl(directory, 'cpuset.cpus')) {
    inheritCpusetV1(directory, above);
    fillCpusetsBelowV1(directory);
  }
  // Before Linux 5.11 a parent had to ask for its children's memory to count (memory.rst, 6).
  if (
    hasControl(directory, 'memory.use_hierarchy') &&
    readControl(directory, 'memory.use_hierarchy') === '0'
  )
    writeControl(directory, 'memory.use_hierarchy', 1);
}
