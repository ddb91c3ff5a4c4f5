/**
 * The driver for an agent without cgroups, such as one without root on v1. It refuses limits with
 * the reason. A container's processes, their usage and killing them all come from /proc.
 */
import type { Lack } from '../contract/abilities.ts';
import { type Limits, nothingUsed, type Usage } from '../contract/limits.ts';
import { CortenError, invalid } from '../errors.ts';
import type { Cgroup, CgroupDriver } from './cgroup.ts';
import { asksForAny } from './missing-controller.ts';
import { killAll } from './processes.ts';
import { type ContainerProcess, processesOf } from './shim-processes.ts';

const nanosATick = 10_000_000;
const pageBytes = 4096;

export function createNoCgroups(lack: Lack): CgroupDriver {
  const reason = `${lack.cause} ${lack.nextStep}`;
  const open = (name: string) => new NoCgroup(name, reason);
  return {
    version: 1,
    controllers: [],
    lack,
    check: (limits) => refuse(limits, reason),
    create(name, limits) {
      refuse(limits, reason);
      return open(name);
    },
    open,
    list: () => [],
    removeParent() {},
  };
}

function refuse({ cpu, memory, pids, io, hugetlb }: Limits, reason: string): void {
  const asked = Object.entries({
    cpu: Object.values(cpu ?? {}),
    memory: Object.values(memory ?? {}),
    pids: [pids],
    io: Object.values(io ?? {}),
    hugetlb: hugetlb ?? [],
  }).filter(([, values]) => asksForAny(values));
  const [first] = asked;
  if (first !== undefined) throw invalid(`This machine cannot keep a ${first[0]} limit. ${reason}`);
}

class NoCgroup implements Cgroup {
  readonly name: string;
  readonly paths: ReadonlyMap<string, string> = new Map();
  readonly #reason: string;

  constructor(name: string, reason: string) {
    this.name = name;
    this.#reason = reason;
  }

  placement() {
    return { procsFds: [] };
  }

  update(limits: Limits): void {
    refuse(limits, this.#reason);
  }

  /** Sums the processes that exist now; ended ones are not counted. */
  usage(): Usage {
    const processes = processesOf(this.name);
    const sum = (of: (process: ContainerProcess) => number) =>
      processes.reduce((total, process) => total + of(process), 0);
    return {
      ...nothingUsed,
      cpu: { ...nothingUsed.cpu, totalNanos: sum(({ stat }) => stat.cpuTicks) * nanosATick },
      memory: {
        ...nothingUsed.memory,
        usageBytes: sum(({ stat }) => stat.residentPages) * pageBytes,
      },
      pids: { ...nothingUsed.pids, current: sum(({ stat }) => stat.threads) },
    };
  }

  meter() {
    return { read: () => this.usage(), close() {} };
  }

  oomKills(): number {
    return 0;
  }

  freeze(): void {
    throw new CortenError('unavailable', `This machine cannot pause containers. ${this.#reason}`);
  }

  thaw(): void {}

  isFrozen(): boolean {
    return false;
  }

  whileFrozen<T>(work: () => T): T {
    return work();
  }

  processes(): number[] {
    return processesOf(this.name).map(({ pid }) => pid);
  }

  kill(): void {
    killAll(this.processes());
  }

  async remove(): Promise<void> {}
}
