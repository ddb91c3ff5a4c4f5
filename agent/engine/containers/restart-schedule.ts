/** Timers of containers that wait for a restart. */
import { nextDelayMs } from './restart-policy.ts';

const postponedMs = 200;

export class RestartSchedule {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #delays = new Map<string, number>();
  readonly #start: (id: string) => void;
  #closed = false;

  /** `start` is called when a container's time has come; it reports its own failures. */
  constructor(start: (id: string) => void) {
    this.#start = start;
  }

  schedule(id: string, ranForMs: number): void {
    const delayMs = nextDelayMs(this.#delays.get(id), ranForMs);
    this.#delays.set(id, delayMs);
    this.#startIn(id, delayMs);
  }

  /**
   * Tries again soon without counting a failure, because something that the container needs is not
   * there yet.
   */
  postpone(id: string): void {
    this.#startIn(id, postponedMs);
  }

  #startIn(id: string, delayMs: number): void {
    if (this.#closed) return;
    clearTimeout(this.#timers.get(id));
    this.#timers.set(
      id,
      setTimeout(() => {
        this.#timers.delete(id);
        this.#start(id);
      }, delayMs),
    );
  }

  /**
   * Cancels a planned restart and resets the delay, after a user stopped, started or removed the
   * container.
   */
  forget(id: string): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
    this.#delays.delete(id);
  }

  /** Stops all timers. The next agent schedules the waiting containers again. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
