/**
 * A queue of deferred clean-up, such as removing what an ended container left. It runs once the
 * engine has been idle for a moment, or when many items wait, one item at a time, so that a request
 * waits for one of them at most. The garbage collection at the next start does what a killed agent
 * left undone.
 */
export interface IdleQueueOptions {
  report: (what: string, error: unknown) => void;
  /** The idle time before the queue runs, in milliseconds. Default 20. */
  quietMs?: number;
  /** The longest time that activity can defer an item, in milliseconds. Default 1,000. */
  longestMs?: number;
}

interface Work {
  what: string;
  run: () => void | Promise<void>;
}

/** With more items than this the queue runs at once. */
const maxDeferred = 64;

export class IdleQueue {
  readonly #report: IdleQueueOptions['report'];
  readonly #quietMs: number;
  readonly #longestMs: number;
  /** Items by key, in the order in which they were added. */
  readonly #work = new Map<string, Work>();
  readonly #underWay = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #waitingSince = 0;
  #under: Promise<void> | undefined;

  constructor({ report, quietMs = 20, longestMs = 1_000 }: IdleQueueOptions) {
    this.#report = report;
    this.#quietMs = quietMs;
    this.#longestMs = longestMs;
  }

  /** Adds an item. The caller has flushed an earlier item with the same key. */
  add(key: string, what: string, run: Work['run']): void {
    this.#work.set(key, { what, run });
    if (this.#work.size > maxDeferred) this.#startNow();
    else this.postpone();
  }

  /** Restarts the idle time, because a request is being served. */
  postpone(): void {
    if (this.#work.size === 0 || this.#under !== undefined) return;
    if (this.#timer === undefined) {
      this.#waitingSince = performance.now();
      this.#timer = setTimeout(() => this.#startNow(), this.#quietMs).unref();
    } else if (performance.now() - this.#waitingSince < this.#longestMs) this.#timer.refresh();
  }

  /** Resolves once the item with this key, if there is one, is done. */
  async flush(key: string): Promise<void> {
    const work = this.#work.get(key);
    if (work === undefined) return this.#underWay.get(key);
    this.#work.delete(key);
    const done = this.#do(work);
    this.#underWay.set(key, done);
    await done;
    this.#underWay.delete(key);
  }

  /** Runs all items. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#under;
    for (const key of [...this.#work.keys()]) await this.flush(key);
  }

  #startNow(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#under ??= this.#doAll().finally(() => {
      this.#under = undefined;
    });
  }

  async #doAll(): Promise<void> {
    for (;;) {
      const [next] = this.#work.keys();
      if (next === undefined) return;
      await this.flush(next);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #do({ what, run }: Work): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#report(what, error);
    }
  }
}
