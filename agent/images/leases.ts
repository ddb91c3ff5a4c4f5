/**
 * Leases on content, which neither a removal nor the sweep may delete. Leases of running requests are in memory;
 * leases that must survive a restart are on disk under the name of their owner.
 */
import { existsSync, readFileSync } from 'node:fs';
import { writeDurably } from './durable-file.ts';

export class Leases {
  readonly #path: string;
  readonly #counts = new Map<string, number>();
  #kept: Record<string, string[]>;
  #keptDigests = new Set<string>();
  #lastWrite: Promise<void> = Promise.resolve();

  /** `path` is the file of the lasting leases, created on demand. */
  constructor(path: string) {
    this.#path = path;
    this.#kept = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
    this.#index();
  }

  has(digest: string): boolean {
    return this.#counts.has(digest) || this.#keptDigests.has(digest);
  }

  /** What is kept on disk. */
  get kept(): ReadonlySet<string> {
    return this.#keptDigests;
  }

  /** Whether another lease besides the caller's own exists. */
  sharedBy(digest: string): boolean {
    return (this.#counts.get(digest) ?? 0) > 1 || this.#keptDigests.has(digest);
  }

  /** Holds leases until the returned function is called. */
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

  /** Replaces what `owner` keeps; on disk once it resolves. What it kept before and does not now is the sweep's. */
  keep(owner: string, digests: Iterable<string>): Promise<void> {
    this.#kept = { ...this.#kept, [owner]: [...new Set(digests)] };
    this.#index();
    const text = JSON.stringify(this.#kept);
    this.#lastWrite = this.#lastWrite
      // A write that failed is its caller's affair.
      .catch(() => {})
      .then(() => writeDurably(this.#path, text));
    return this.#lastWrite;
  }

  #index(): void {
    this.#keptDigests = new Set(Object.values(this.#kept).flat());
  }
}
