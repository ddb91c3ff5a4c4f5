/** Cgroups in memory: they remember what was asked of them. */
import type { Cgroup, CgroupDriver, UsageMeter } from '../../cgroup/cgroup.ts';
import { type Limits, nothingUsed, type Usage } from '../../contract/limits.ts';

export class FakeCgroups implements CgroupDriver {
  readonly version = 2;
  readonly controllers = ['cpu', 'memory', 'pids'];
  /** Thrown by the next checks. */
  refusal: Error | undefined;
  readonly groups = new Map<string, FakeCgroup>();

  check(): void {
    if (this.refusal) throw this.refusal;
  }

  create(name: string, limits: Limits): FakeCgroup {
    const group = new FakeCgroup(name, limits, () => this.groups.delete(name));
    this.groups.set(name, group);
    return group;
  }

  open(name: string): FakeCgroup {
    return this.groups.get(name) ?? new FakeCgroup(name, {}, () => {});
  }

  removeParent(): void {}

  list(): string[] {
    return [...this.groups.keys()];
  }
}

export class FakeCgroup implements Cgroup {
  readonly name: string;
  readonly paths: ReadonlyMap<string, string> = new Map();
  readonly updates: Limits[];
  frozen = false;
  oomKillCount = 0;
  /** What it uses; nothing unless a test says so. */
  used: Usage = structuredClone(nothingUsed);
  onKill = () => {};
  readonly #removed: () => void;

  constructor(name: string, limits: Limits, removed: () => void) {
    this.name = name;
    this.updates = [limits];
    this.#removed = removed;
  }

  placement() {
    return { procsFds: [] };
  }
  update(limits: Limits): void {
    this.updates.push(limits);
  }
  usage(): Usage {
    return this.used;
  }
  meter(): UsageMeter {
    return { read: () => this.usage(), close: () => {} };
  }
  oomKills(): number {
    return this.oomKillCount;
  }
  freeze(): void {
    this.frozen = true;
  }
  thaw(): void {
    this.frozen = false;
  }
  isFrozen(): boolean {
    return this.frozen;
  }
  whileFrozen<T>(work: () => T): T {
    return work();
  }
  processes(): number[] {
    return [];
  }
  kill(): void {
    this.onKill();
  }
  async remove(): Promise<void> {
    this.#removed();
  }
}
