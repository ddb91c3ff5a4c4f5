/**
 * Driver of layers that are on a file system of their own which can limit directories: new spaces are created there,
 * and existing ones of another driver stay with it.
 */
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';
import type { DiskDriver, MakeSpace, OpenSpace, SpaceDirectory } from './disk.ts';

export class DividedDisk implements DiskDriver {
  readonly kind;
  readonly freeOfCost;
  readonly amongLayers = true;
  readonly #directory: string;
  readonly #within: DiskDriver;
  readonly #elsewhere: DiskDriver;

  /** `within` serves the spaces below `directory`. The caller closes the other driver. */
  constructor(directory: string, within: DiskDriver, elsewhere: DiskDriver) {
    this.kind = within.kind;
    this.freeOfCost = within.freeOfCost;
    this.#directory = directory;
    this.#within = within;
    this.#elsewhere = elsewhere;
  }

  prepare(limits: DiskLimits, directories: readonly SpaceDirectory[]): Promise<MakeSpace> {
    return this.#within.prepare(limits, directories);
  }

  open(space: string, limits: DiskLimits): OpenSpace {
    return this.#of(space).open(space, limits);
  }

  attach(space: string, limits: DiskLimits): void {
    this.#of(space).attach(space, limits);
  }

  detach(space: string): void {
    this.#of(space).detach(space);
  }

  check(space: string, before: DiskLimits, after: DiskLimits): void {
    this.#of(space).check(space, before, after);
  }

  update(space: string, before: DiskLimits, after: DiskLimits): void {
    this.#of(space).update(space, before, after);
  }

  usage(space: string, limits: DiskLimits): SpaceUsage {
    return this.#of(space).usage(space, limits);
  }

  remove(space: string): Promise<void> {
    return this.#of(space).remove(space);
  }

  close(): void {
    this.#within.close();
  }

  #of(space: string): DiskDriver {
    return space.startsWith(`${this.#directory}/`) ? this.#within : this.#elsewhere;
  }
}
