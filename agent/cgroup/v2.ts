/**
 * The driver for cgroup v2: one hierarchy, one directory a group, controllers handed down by
 * `cgroup.subtree_control` (Documentation/admin-guide/cgroup-v2.rst).
 */
import { closeSync, constants, openSync } from 'node:fs';
import type { Limits, Usage } from '../contract/limits.ts';
import type { OciDeviceRule } from '../contract/oci-runtime.ts';
import { attachDeviceProgram, loadDeviceProgram } from '../kernel/bpf.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { Cgroup, CgroupDriver, CgroupPlacement, Place, UsageMeter } from './cgroup.ts';
import {
  hasControl,
  type ReadFile,
  readControlIfAny,
  readCount,
  writeControl,
} from './control-file.ts';
import { applyCpuV2, readCpuV2 } from './cpu.ts';
import { applyCpusetV2 } from './cpuset.ts';
import { delegateTo } from './delegation.ts';
import { deviceProgram } from './devices.ts';
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
import { applyDefaultMemoryLimit, type BoundAll, memoryFilesV2 } from './floor.ts';
import { freezeV2, isFrozenV2, thawV2 } from './freezer.ts';
import { applyHugetlbV2, checkPageSizes } from './hugetlb.ts';
import { applyIoV2, readIoV2 } from './io.ts';
import { applyMemoryV2, killTogetherV2, oomKillsV2, readMemoryV2 } from './memory.ts';
import { asksForAny, missingController } from './missing-controller.ts';
import { cachingMeter } from './open-control-files.ts';
import { applyPids, readPids } from './pids.ts';
import { placeOnV2 } from './place.ts';
import { childrenOf, killAll, processesBelow } from './processes.ts';
import { groupPsiFiles, readPsi } from './psi.ts';

/** Not in Node's constants: a descriptor that only names the directory (open(2)). */
const openPathOnly = 0o10000000;
const wanted = ['cpu', 'cpuset', 'hugetlb', 'io', 'memory', 'pids'];

/** Attaches the allow-list to a group's directory; throws when it cannot, and nothing is started. */
export type AttachDevices = (directory: string, rules: readonly OciDeviceRule[]) => void;

export interface V2Options {
  attachDevices?: AttachDevices | undefined;
  boundAll?: BoundAll | undefined;
}

export function createV2Driver(
  mount: string,
  within: GroupParent,
  { attachDevices = attachDeviceRules, boundAll }: V2Options = {},
): CgroupDriver {
  const parent = parentPath(within);
  const parentDirectory = groupPath(mount, parent);
  const available = (readControlIfAny(mount, 'cgroup.controllers') ?? '').split(/\s+/);
  const controllers = wanted.filter((name) => available.includes(name));
  const open = (name: string) => {
    checkName(name);
    return new CgroupV2(name, parentDirectory, controllers, {
      keepsGroups: typeof within !== 'string',
      hasDefaultMemoryLimit: boundAll !== undefined,
    });
  };
  return {
    version: 2,
    // Freezing and device programs need no controller on v2.
    controllers: [...controllers, 'devices', 'freezer'],
    check: (limits) => checkPageSizes(limits.hugetlb ?? []),
    create(name, limits, devices) {
      const group = open(name);
      group.make(
        limits,
        (directory) => attachDevices(directory, devices),
        () => {
          delegateTo(mount, parent, controllers);
          boundAll?.(parentDirectory);
        },
      );
      return group;
    },
    open,
    list: () => childrenOf(parentDirectory),
    removeParent() {
      if (parent !== '') removeEmpty(parentDirectory);
    },
  };
}

interface OwnerOptions {
  /** Whether existing cgroups belong to their makers and are kept. */
  keepsGroups: boolean;
  hasDefaultMemoryLimit: boolean;
}

class CgroupV2 implements Cgroup {
  readonly name: string;
  readonly paths: ReadonlyMap<string, string>;
  readonly #directory: string;
  readonly #parent: string;
  readonly #controllers: readonly string[];
  readonly #owner: OwnerOptions;

  constructor(name: string, parent: string, controllers: readonly string[], owner: OwnerOptions) {
    this.name = name;
    this.#owner = owner;
    this.#parent = parent;
    this.#directory = `${parent}/${name}`;
    this.#controllers = controllers;
    this.paths = new Map([['', this.#directory]]);
  }

  make(limits: Limits, attach: (directory: string) => void, makeParent: () => void): void {
    try {
      try {
        makeGroup(this.#directory, this.#owner.keepsGroups);
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error;
        makeParent();
        makeGroup(this.#directory, this.#owner.keepsGroups);
      }
      killTogetherV2(this.#directory);
      this.#applyDefaultMemoryLimit();
      this.update(limits);
      attach(this.#directory);
    } catch (error) {
      removeAtOnce(this.#directory);
      throw error;
    }
  }

  placement(place: Place = {}): CgroupPlacement {
    const flags = openPathOnly | constants.O_DIRECTORY;
    return { directoryFd: openSync(placeOnV2(this.#directory, place), flags), procsFds: [] };
  }

  update(limits: Limits): void {
    const { cpu = {}, memory = {}, pids, io = {}, hugetlb = [] } = limits;
    const { cpus, mems, ...time } = cpu;
    this.#with('cpu', Object.values(time), (directory) => applyCpuV2(directory, cpu));
    this.#with('cpuset', [cpus, mems], (directory) => applyCpusetV2(directory, this.#parent, cpu));
    this.#with('memory', Object.values(memory), (directory) => {
      applyMemoryV2(directory, memory);
      if (memory.maxBytes === null) this.#applyDefaultMemoryLimit();
      if (memory.reservationBytes !== undefined) protectParent(this.#parent);
    });
    this.#with('pids', [pids], (directory) => {
      if (pids !== undefined) applyPids(directory, pids);
    });
    this.#with('io', Object.values(io), (directory) => applyIoV2(directory, io));
    checkPageSizes(hugetlb);
    const pages = hugetlb.flatMap(({ maxBytes, reservedMaxBytes }) => [maxBytes, reservedMaxBytes]);
    this.#with('hugetlb', pages, (directory) => applyHugetlbV2(directory, hugetlb));
  }

  usage(): Usage {
    return this.#usage();
  }

  meter(): UsageMeter {
    return cachingMeter((read) => this.#usage(read));
  }

  #usage(read?: ReadFile): Usage {
    return {
      cpu: readCpuV2(this.#directory, read),
      memory: readMemoryV2(this.#directory, read),
      pids: readPids(this.#directory, read),
      io: readIoV2(this.#directory, read),
      stall: readPsi(this.#directory, groupPsiFiles, read),
    };
  }

  oomKills(): number {
    return oomKillsV2(this.#directory);
  }

  freeze(): void {
    freezeV2(this.#directory);
  }

  thaw(): void {
    thawV2(this.#directory);
  }

  isFrozen(): boolean {
    return isFrozenV2(this.#directory);
  }

  whileFrozen<T>(work: () => T): T {
    if (this.isFrozen()) return work();
    freezeV2(this.#directory);
    try {
      return work();
    } finally {
      thawV2(this.#directory);
    }
  }

  processes(): number[] {
    return processesBelow(this.#directory);
  }

  /** cgroup.kill (Linux 5.14) meets every process at once, frozen ones too. */
  kill(): void {
    if (hasControl(this.#directory, 'cgroup.kill')) {
      writeControl(this.#directory, 'cgroup.kill', 1);
      return;
    }
    // v2 delivers SIGKILL to frozen processes, and the frozen ones cannot fork away.
    if (this.processes().length === 0) return;
    freezeV2(this.#directory);
    killAll(this.processes());
    thawV2(this.#directory);
  }

  async remove(): Promise<void> {
    const reserved = readCount(this.#directory, 'memory.low') > 0;
    await removeGroups([this.#directory]);
    if (reserved) protectParent(this.#parent);
  }

  #applyDefaultMemoryLimit(): void {
    if (this.#owner.hasDefaultMemoryLimit) applyDefaultMemoryLimit(this.#directory, memoryFilesV2);
  }

  #with(controller: string, asked: readonly unknown[], apply: (directory: string) => void): void {
    if (this.#controllers.includes(controller)) apply(this.#directory);
    else if (asksForAny(asked)) throw missingController(controller);
  }
}

/** A reservation counts only as far as the groups above have one: the parent's is the sum. */
function protectParent(parent: string): void {
  const reservations = childrenOf(parent).map((name) =>
    readCount(`${parent}/${name}`, 'memory.low'),
  );
  const sum = reservations.reduce((total, one) => total + one, 0);
  if (hasControl(parent, 'memory.low')) writeControl(parent, 'memory.low', sum);
}

function attachDeviceRules(directory: string, rules: readonly OciDeviceRule[]): void {
  const programFd = loadDeviceProgram(deviceProgram(rules));
  try {
    const cgroupFd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      attachDeviceProgram(cgroupFd, programFd);
    } finally {
      closeSync(cgroupFd);
    }
  } finally {
    // The attachment keeps the program.
    closeSync(programFd);
  }
}
