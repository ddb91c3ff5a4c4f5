/** How large the build cache may grow, and that it keeps to it. */
import { statfsSync } from 'node:fs';
import { invalid } from '../../errors.ts';
import type { BuildCache } from './build-cache.ts';
import { prune } from './prune.ts';

/** As BuildKit: a tenth of the disk, and on a small one at least this much. */
const defaultShare = 10;
const defaultLeastBytes = 2 * 1024 ** 3;
/** Less than one image of a distribution would be no cache. */
export const leastLimitBytes = 100 * 1024 ** 2;

export class CacheLimit {
  readonly #cache: BuildCache;
  readonly #directory: string;
  #running: Promise<unknown> | undefined;

  constructor(cache: BuildCache, directory: string) {
    this.#cache = cache;
    this.#directory = directory;
  }

  get bytes(): number {
    const row = this.#cache.database
      .prepare("SELECT value FROM settings WHERE name = 'limit'")
      .get();
    if (row !== undefined) return Number(row.value);
    const { blocks, bsize } = statfsSync(this.#directory);
    return Math.max(defaultLeastBytes, Math.floor((blocks * bsize) / defaultShare));
  }

  /** Undefined: the default. Throws invalid for less than {@link leastLimitBytes}. */
  set(bytes: number | undefined): void {
    const { database } = this.#cache;
    if (bytes === undefined) {
      database.exec("DELETE FROM settings WHERE name = 'limit'");
      return;
    }
    if (!(Number.isSafeInteger(bytes) && bytes >= leastLimitBytes))
      throw invalid(`the build cache needs at least ${leastLimitBytes / 1024 ** 2} MB`);
    database.prepare("INSERT OR REPLACE INTO settings VALUES ('limit', ?)").run(String(bytes));
  }

  /** Takes away what is beyond the limit, the longest unused first. One run at a time. */
  enforce(): Promise<unknown> {
    this.#running ??= prune(this.#cache, { all: true, keepBytes: this.bytes, filters: {} }).finally(
      () => {
        this.#running = undefined;
      },
    );
    return this.#running;
  }
}
