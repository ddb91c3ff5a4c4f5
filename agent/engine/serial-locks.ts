/**
 * Work on one key is done one at a time, in the order of the calls; different keys do not wait for
 * each other. Not reentrant: work must not ask for its own key again.
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
      // Only the last in line takes the entry away; anybody else's successor still waits on it.
      if (this.#tails.get(key) === done) this.#tails.delete(key);
      finish();
    }
  }
}
