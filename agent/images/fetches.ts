/** When two pulls need the same blob at the same time, one fetches it and the other waits. */
export class Fetches {
  readonly #running = new Map<string, Promise<void>>();
  /** Digests of blobs that are complete and verified, but not yet committed by a pull. */
  readonly #done = new Set<string>();

  /** Runs `fetch`, or waits for the pull that fetches this digest; if that fails, runs `fetch` after all. */
  async once(digest: string, fetch: () => Promise<void>): Promise<void> {
    while (!this.#done.has(digest)) {
      const other = this.#running.get(digest);
      // The other pull's failure, such as a cancelled client, is its own; this one then tries itself.
      if (other !== undefined) await other.catch(() => {});
      else {
        const work = fetch();
        this.#running.set(digest, work);
        await work.finally(() => this.#running.delete(digest));
        this.#done.add(digest);
      }
    }
  }

  forget(digest: string): void {
    this.#done.delete(digest);
  }
}
