/** Who waits for a container's exit or removal. */
import type { WaitResult } from '../api/containers/backend.ts';

export type Moment = 'exit' | 'removal';

export class Waiters {
  readonly #waiting = new Map<string, Set<(result: WaitResult) => void>>();

  /** Resolves at the next such moment of this container. */
  next(id: string, moment: Moment, signal: AbortSignal): Promise<WaitResult> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const key = `${moment} ${id}`;
    const group = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, group);
    const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
    const leave = () => {
      signal.removeEventListener('abort', onAbort);
      group.delete(wake);
      if (group.size === 0 && this.#waiting.get(key) === group) this.#waiting.delete(key);
    };
    const wake = (result: WaitResult) => {
      leave();
      resolve(result);
    };
    const onAbort = () => {
      leave();
      reject(signal.reason);
    };
    group.add(wake);
    signal.addEventListener('abort', onAbort);
    return promise;
  }

  wake(id: string, moment: Moment, result: WaitResult): void {
    for (const wake of [...(this.#waiting.get(`${moment} ${id}`) ?? [])]) wake(result);
  }
}
