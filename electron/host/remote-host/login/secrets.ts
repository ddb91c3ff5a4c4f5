/** Passwords and passphrases of this run of the app, so that a reconnect asks for none. They are never written to disk. */
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
