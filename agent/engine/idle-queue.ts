/**
 * Work that nobody waits for, such as taking away what an ended container leaves: it is done once the
 * engine has been left alone for a moment, or when much of it waits, one piece a turn, so that no
 * request waits for more than one. What a killed agent did not come to is the sweep's at the next start.
 */
export interface IdleQueueOptions {
  report: (what: string, error: unknown) => void;
  /** Default 20. */
  quietMs?: number;
  /** The longest that anything is put off by those who are at work; default 1,000. */
  longestMs?: number;
}

interface Work {
  what: string;
  run: () => void | Promise<void>;
}

/** When more than that waits it is begun whatever else goes on. */
const maxDeferred = 64;

export class IdleQueue {
  readonly #report: IdleQueueOptions['report'];
  readonly #quietMs: number;
  readonly #longestMs: number;
  /** By key, in the order in which it was put off. */
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

  /** A key stands for one piece of work: who puts off another has finished the one before. */
  add(key: string, what: string, run: Work['run']): void {
    this.#work.set(key, { what, run });
    if (this.#work.size > maxDeferred) this.#startNow();
    else this.postpone();
  }

  /** Somebody is at work with the engine: not now. */
  postpone(): void {
    if (this.#work.size === 0 || this.#under !== undefined) return;
    if (this.#timer === undefined) {
      this.#waitingSince = performance.now();
      this.#timer = setTimeout(() => this.#startNow(), this.#quietMs).unref();
    } else if (performance.now() - this.#waitingSince < this.#longestMs) this.#timer.refresh();
  }

  /** Resolves once what was put off under this key, if anything was, has been done. */
  async flush(key: string): Promise<void> {
    const work = this.#work.get(key);
    if (work === undefined) return this.#underWay.get(key);
    this.#work.delete(key);
    const done = this.#do(work);
    this.#underWay.set(key, done);
    await done;
    this.#underWay.delete(key);
  }

  /** Does all of it. */
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
