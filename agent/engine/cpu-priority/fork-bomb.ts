/**
 * Detects a fork bomb: a container that keeps calling fork(2) beyond its pids limit. Each refused fork costs the kernel
 * nearly as much as a granted one and cannot be preempted, so such a container is throttled (cpu-priority.ts).
 */
import type { PressureSample } from '../../contract/pressure.ts';

/** Per second. A program that only retries is refused far less often. */
const refusalsOfBomb = 100;
/** A throttled container may be out of quota for three seconds, in which it cannot fork; that is not the end of the bomb. */
const calmMs = 5000;

/** Watches one container. */
export class ForkBombDetector {
  #lastRefusalMs: number | undefined;

  get isBomb(): boolean {
    return this.#lastRefusalMs !== undefined;
  }

  observe({ atMs, pids: { refusals } }: PressureSample): void {
    if (refusals >= (this.isBomb ? 1 : refusalsOfBomb)) this.#lastRefusalMs = atMs;
    else if (this.#lastRefusalMs !== undefined && atMs - this.#lastRefusalMs >= calmMs)
      this.#lastRefusalMs = undefined;
  }
}
