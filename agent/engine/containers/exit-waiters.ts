/** Requests that wait for a container's exit or removal. */
import type { WaitResult } from '../../api/containers/backend.ts';

export type WaitEvent = 'exit' | 'removal';

const keptResults = 1000;

export class ExitWaiters {
  readonly #waiting = new Map<string, Set<(result: WaitResult) => void>>();
  readonly #removed = new Map<string, WaitResult>();

  /**
   * Resolves at the container's next exit or removal. Rejects with the signal's reason when it is
   * aborted.
   */
  next(id: string, event: WaitEvent, signal: AbortSignal): Promise<WaitResult> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const key = `${event} ${id}`;
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

  /**
   * Keeps a container's exit code after its removal, because some clients (dockerode's run) start a
   * container with `--rm` and only then wait for it.
   */
  remember(id: string, result: WaitResult): void {
    this.#removed.set(id, result);
    const [oldest] = this.#removed.keys();
    if (this.#removed.size > keptResults && oldest !== undefined) this.#removed.delete(oldest);
  }

  /** The result of a container that is already removed. Only its full id finds it. */
  resultOfRemoved(id: string): WaitResult | undefined {
    return this.#removed.get(id);
  }

  wake(id: string, event: WaitEvent, result: WaitResult): void {
    for (const wake of [...(this.#waiting.get(`${event} ${id}`) ?? [])]) wake(result);
  }
}
