/**
 * Changes that cannot be told now: the line is down, or the machine rests. A file that is written again
 * and again is one change, and what is too much to keep is nothing but "look at everything again".
 */
import { ChangeKind } from '../../../../agent/contract/share-wire.ts';
import type { Change } from './folder-watch.ts';

/** A hundred bytes each, and as many turns of the machine's replaying thread: more than a git checkout. */
export const mostPending = 20_000;

export class PendingChanges {
  readonly #most: number;
  #changes: Change[] = [];
  /** Where the last word about each file's content or attributes is, while no name has changed since. */
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
    // A path means another file once a name has changed.
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

  /** All of it, in its order; `isLost`: there was more. */
  take(): { changes: Change[]; isLost: boolean } {
    const taken = { changes: this.#changes, isLost: this.#isLost };
    this.#changes = [];
    this.#latest.clear();
    this.#isLost = false;
    return taken;
  }
}
