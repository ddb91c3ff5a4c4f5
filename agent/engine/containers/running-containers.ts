/** Containers that have a process, and requests that wait for one to start. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import type { ProcessInput } from '../streams/process-input.ts';

export interface RunningContainer {
  readonly process: RunningProcess;
  readonly cgroup: Cgroup;
  /** Present when the container was created with an open stdin. */
  readonly input: ProcessInput | undefined;
  /** Resolves once the exit is recorded and everything that the container held is released. */
  readonly released: Promise<void>;
  /** Called once, by the handler of the exit. */
  readonly markReleased: () => void;
  /** The next exit belongs to a restart, so auto-remove and the restart policy do not apply. */
  restarting: boolean;
  /** Cancels the container's health checks and other watchers. */
  readonly watchers: AbortController;
}

export function newRunningContainer(
  parts: Pick<RunningContainer, 'process' | 'cgroup' | 'input'>,
): RunningContainer {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    ...parts,
    released: promise,
    markReleased: resolve,
    restarting: false,
    watchers: new AbortController(),
  };
}

export class RunningContainers {
  readonly #live = new Map<string, RunningContainer>();
  readonly #expected = new Map<string, PromiseWithResolvers<RunningContainer | undefined>>();

  get(id: string): RunningContainer | undefined {
    return this.#live.get(id);
  }

  ids(): string[] {
    return [...this.#live.keys()];
  }

  add(id: string, live: RunningContainer): void {
    this.#live.set(id, live);
    this.#settle(id, live);
  }

  remove(id: string): void {
    this.#live.delete(id);
  }

  /**
   * Resolves with the container's next process, or undefined when its start fails or it is removed.
   */
  next(id: string): Promise<RunningContainer | undefined> {
    const expected =
      this.#expected.get(id) ?? Promise.withResolvers<RunningContainer | undefined>();
    this.#expected.set(id, expected);
    return expected.promise;
  }

  /** Resolves the waiting requests with undefined, because no process will start. */
  giveUp(id: string): void {
    this.#settle(id, undefined);
  }

  #settle(id: string, live: RunningContainer | undefined): void {
    this.#expected.get(id)?.resolve(live);
    this.#expected.delete(id);
  }
}
