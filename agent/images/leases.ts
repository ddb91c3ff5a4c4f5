/** Content that running work counts on: neither a removal nor the sweep may take it away meanwhile. */
export class Leases {
  readonly #counts = new Map<string, number>();

  has(digest: string): boolean {
    return this.#counts.has(digest);
  }

  /** Whether work beside the caller's own holds it too. */
  sharedBy(digest: string): boolean {
    return (this.#counts.get(digest) ?? 0) > 1;
  }

  /** Holds them until the returned function is called. */
  hold(digests: Iterable<string>): () => void {
    const held = [...digests];
    for (const digest of held) this.#counts.set(digest, (this.#counts.get(digest) ?? 0) + 1);
    return () => {
      for (const digest of held.splice(0)) {
        const count = (this.#counts.get(digest) ?? 0) - 1;
        if (count > 0) this.#counts.set(digest, count);
        else this.#counts.delete(digest);
      }
    };
  }
}
