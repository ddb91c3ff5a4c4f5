/**
 * Readers of a container's log. Its directory is removed only after they have read to the end, so
 * that `docker run --rm` shows the last line of a removed container.
 */
const patienceMs = 10_000;

export class LogReaders {
  readonly #readers = new Map<string, Set<Promise<void>>>();

  /** Counts `source` as a reader until it ends, is returned, or `signal` aborts. */
  register<T>(id: string, source: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
    const { promise, resolve: done } = Promise.withResolvers<void>();
    const group = this.#readers.get(id) ?? new Set();
    this.#readers.set(id, group);
    group.add(promise);
    promise.then(() => {
      group.delete(promise);
      if (group.size === 0 && this.#readers.get(id) === group) this.#readers.delete(id);
    });
    signal.addEventListener('abort', () => done(), { once: true });
    const iterator = source[Symbol.asyncIterator]();
    // The first step is taken at once, so that "from the end" means the end at the time of the
    // request.
    let first: Promise<IteratorResult<T>> | undefined = iterator.next();
    first.catch(() => done());
    const step = async () => {
      const next = first ?? iterator.next();
      first = undefined;
      const result = await next;
      if (result.done) done();
      return result;
    };
    return {
      [Symbol.asyncIterator]: () => ({
        next: step,
        return: async () => {
          done();
          return (await iterator.return?.()) ?? { done: true, value: undefined };
        },
      }),
    };
  }

  /** Resolves when nobody reads any more, or after a timeout for clients that do not read. */
  async gone(id: string): Promise<void> {
    const group = this.#readers.get(id);
    if (group === undefined) return;
    const { promise: tired, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = setTimeout(giveUp, patienceMs);
    await Promise.race([Promise.all(group), tired]);
    clearTimeout(timer);
  }
}
