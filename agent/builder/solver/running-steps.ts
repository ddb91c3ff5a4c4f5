/** Steps under way, over all jobs: the same step at the same time runs once. */
export class RunningSteps {
  readonly #running = new Map<string, Promise<unknown>>();

  /**
   * Calls `work`, unless work under the same key runs: then waits for its end first, and calls `work` with false. Throws
   * the signal's reason while it waits.
   */
  async once<T>(
    key: string,
    signal: AbortSignal,
    work: (isFirst: boolean) => Promise<T>,
  ): Promise<T> {
    let isFirst = true;
    for (let other = this.#running.get(key); other !== undefined; other = this.#running.get(key)) {
      isFirst = false;
      await abortable(other, signal);
    }
    const mine = work(isFirst);
    // Only its end matters to those who wait; its failure is this caller's.
    const ended = mine.then(
      () => {},
      () => {},
    );
    this.#running.set(key, ended);
    try {
      return await mine;
    } finally {
      this.#running.delete(key);
    }
  }
}

function abortable(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(() => {
      signal.removeEventListener('abort', abort);
      resolve();
    }, reject);
  });
}
