/** What people typed for a host, for as long as the app runs: a lost connection asks nobody again. */
import type { Asked } from '../../machine/machine.ts';

export type Ask = (question: Asked) => Promise<string | undefined>;

export class Secrets {
  readonly #kept = new Map<string, string>();

  get(key: string): string | undefined {
    return this.#kept.get(key);
  }

  keep(key: string, secret: string): void {
    this.#kept.set(key, secret);
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }
}
