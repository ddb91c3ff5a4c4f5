/**
 * What the container that was made last will be started with, worked out while its maker hears of it: most are
 * started at once. Of no use once anything that it was made from may have changed.
 */
import { readdirSync } from 'node:fs';
import type { BuiltSpec } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { joinedContainers } from './joined-containers.ts';

/** The machine's devices and its like come and go. */
const freshMs = 300;
/** After so many that nobody took none is made, until the one that was made last is started at once again. */
const maxUnused = 3;

export class PrebuiltSpec {
  readonly #now: () => number;
  #known: { record: ContainerRecord; built: BuiltSpec | undefined; at: number } | undefined;
  #unused = 0;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** What is wrong with it the start will say. */
  prebuild(record: ContainerRecord, build: () => BuiltSpec): void {
    // Those others run or not, and a space is elsewhere once it is open.
    if (joinedContainers(record).length > 0 || record.rootfs.space !== undefined) return;
    const isUseful = this.#unused < maxUnused;
    if (isUseful) this.#unused += 1;
    try {
      this.#known = { record, built: isUseful ? build() : undefined, at: this.#now() };
    } catch {
      this.#known = undefined;
    }
  }

  forget(id: string): void {
    if (this.#known?.record.id === id) this.#known = undefined;
  }

  /** Once, and for this very record: each change makes another. */
  take(record: ContainerRecord): BuiltSpec | undefined {
    const known = this.#known;
    if (known?.record !== record) return undefined;
    this.#known = undefined;
    if (this.#now() - known.at >= freshMs) return undefined;
    this.#unused = 0;
    // Users may have been copied into it since.
    return readdirSync(record.rootfs.upper).length === 0 ? known.built : undefined;
  }
}
