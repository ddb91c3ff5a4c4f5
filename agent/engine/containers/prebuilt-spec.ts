/**
 * The OCI spec of the most recently created container, built after the reply to its creation,
 * because most containers are started right away. It is dropped when anything that it was built
 * from may have changed.
 */
import { readdirSync } from 'node:fs';
import type { BuiltSpec } from '../spec/spec.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import { joinedContainers } from './joined-containers.ts';

/** Host devices come and go, so a spec is used for this long only. */
const freshMs = 300;
/**
 * After this many specs that no start used, none is built until a container is started at once
 * again.
 */
const maxUnused = 3;

export class PrebuiltSpec {
  readonly #now: () => number;
  #known: { record: ContainerRecord; built: BuiltSpec | undefined; at: number } | undefined;
  #unused = 0;

  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** An error is ignored here, because the start builds the spec again and reports it. */
  prebuild(record: ContainerRecord, build: () => BuiltSpec): void {
    // Specs that depend on other containers or on a mounted space cannot be built in advance.
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

  /**
   * Returns the spec once, and only for the very record it was built from: each change makes a new
   * record.
   */
  take(record: ContainerRecord): BuiltSpec | undefined {
    const known = this.#known;
    if (known?.record !== record) return undefined;
    this.#known = undefined;
    if (this.#now() - known.at >= freshMs) return undefined;
    this.#unused = 0;
    // Files copied into the container since then may define other users.
    return readdirSync(record.rootfs.upper).length === 0 ? known.built : undefined;
  }
}
