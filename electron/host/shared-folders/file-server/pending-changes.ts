/**
 * Keeps changes that cannot be sent now, because the connection is down or the machine is paused.
 * Repeated writes to a file are one change. Beyond a limit all of them are replaced by the fact that
 * changes were lost, after which the machine drops its cache.
 */
import { ChangeKind } from '../../../../agent/contract/share-wire.ts';
import type { Change } from './folder-watch.ts';

/** Each change takes about a hundred bytes here, and some work in the machine. A git checkout makes fewer. */
export const mostPending = 20_000;

export class PendingChanges {
  readonly #most: number;
  #changes: Change[] = [];
  /** The index in `#changes` of each file's latest content or attribute change since the last change of a name. */
  readonly #latest = new Map<string, number>();
  #isLost = false;

  constructor(most = mostPending) {
    this.#most = most;
  }

  add(changes: readonly Change[]): void {
    for (const change of changes) this.#add(change);
  }

  #add(change: Change): void {
    if (this.#isLost) return;
    const { kind, path } = change;
    const isOfFile = kind === ChangeKind.modified || kind === ChangeKind.attributes;
    // After a change of any name, a path may mean another file.
    if (!isOfFile) this.#latest.clear();
    const index = this.#latest.get(`${kind} ${path}`);
    if (index !== undefined) {
      this.#changes[index] = change;
      return;
    }
    if (this.#changes.length === this.#most) {
      this.#changes = [];
      this.#latest.clear();
      this.#isLost = true;
      return;
    }
    if (isOfFile) this.#latest.set(`${kind} ${path}`, this.#changes.length);
    this.#changes.push(change);
  }

  get isEmpty(): boolean {
    return this.#changes.length === 0 && !this.#isLost;
  }

  /** Removes and returns all changes in their order. `isLost` is true when there were more. */
  take(): { changes: Change[]; isLost: boolean } {
    const taken = { changes: this.#changes, isLost: this.#isLost };
    this.#changes = [];
    this.#latest.clear();
    this.#isLost = false;
    return taken;
  }
}
