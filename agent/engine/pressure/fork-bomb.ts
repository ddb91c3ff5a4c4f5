/**
 * A container that goes on asking for processes beyond its limit, as a fork bomb does: until it stops it comes after
 * all others (precedence.ts). Each refusal costs the kernel nearly a whole fork, in which nobody can interrupt it.
 */
import type { PressureSample } from '../../contract/pressure.ts';

/** In a second. Who waits for a place asks now and then. */
const refusalsOfBomb = 100;
/** One that is held (set-precedence.ts) owes the processor time for up to three seconds, and asks for nothing then. */
const calmMs = 5000;

/** Of one container. */
export class ForkBombWatch {
  #lastRefusalMs: number | undefined;

  /** By the last look. */
  get isBomb(): boolean {
    return this.#lastRefusalMs !== undefined;
  }

  look({ atMs, pids: { refusals } }: PressureSample): void {
    if (refusals >= (this.isBomb ? 1 : refusalsOfBomb)) this.#lastRefusalMs = atMs;
    else if (this.#lastRefusalMs !== undefined && atMs - this.#lastRefusalMs >= calmMs)
      this.#lastRefusalMs = undefined;
  }
}
