/**
 * Answers and events overtake each other: what was read before an event must not be shown after it.
 * A reading remembers when it was asked for; what changed since then is stale in its answer.
 */
export class Freshness {
  #now = 0;
  #readings = 0;
  readonly #changed = new Map<string, number>();

  /** Something happened to this one. */
  change(id: string): void {
    this.#now += 1;
    // While nothing is being read, nothing can be stale.
    if (this.#readings > 0) this.#changed.set(id, this.#now);
  }

  /** Reads, and says with the answer which ids changed after it was asked for. */
  async read<T>(ask: () => Promise<T>): Promise<{ answer: T; isStale: (id: string) => boolean }> {
    const asked = this.#now;
    this.#readings += 1;
    try {
      const answer = await ask();
      const changed = new Map(this.#changed);
      return { answer, isStale: (id) => (changed.get(id) ?? 0) > asked };
    } finally {
      this.#readings -= 1;
      if (this.#readings === 0) this.#changed.clear();
    }
  }
}
