/**
 * Runs work with the same key one after the other, in the order of the calls. Work must not ask for
 * its own key again.
 */
export class SerialLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(key: string, work: () => T | Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    this.#tails.set(key, done);
    try {
      if (before !== undefined) await before;
      return await work();
    } finally {
      // Only the last one in the queue removes the entry, because others still wait on it.
      if (this.#tails.get(key) === done) this.#tails.delete(key);
      finish();
    }
  }
}
