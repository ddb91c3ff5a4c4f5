/** Two pulls that want the same blob at the same time: one fetches, the other waits for it. */
export class Fetches {
  readonly #running = new Map<string, Promise<void>>();
  /** Whole and verified, and not yet committed by a pull. */
  readonly #done = new Set<string>();

  /** Runs `fetch`, or waits for whoever fetches that digest; if they fail, it is our turn. */
  async once(digest: string, fetch: () => Promise<void>): Promise<void> {
    while (!this.#done.has(digest)) {
      const other = this.#running.get(digest);
      // Their failure (a cancelled client, say) is theirs; then we try for ourselves.
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
