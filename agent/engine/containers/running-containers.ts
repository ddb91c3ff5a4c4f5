/** Containers that have a process now, and who waits for one to get it. */
import type { Cgroup } from '../../cgroup/cgroup.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';
import type { ProcessInput } from '../streams/process-input.ts';

export interface RunningContainer {
  readonly process: RunningProcess;
  readonly cgroup: Cgroup;
  /** Present when the container was made with an open stdin. */
  readonly input: ProcessInput | undefined;
  /** Resolves once the exit was recorded and everything the container held was released. */
  readonly released: Promise<void>;
  /** Set by the watcher of the exit; called once. */
  readonly markReleased: () => void;
  /** The exit that comes belongs to a restart: auto-remove and restart policy leave it alone. */
  restarting: boolean;
  /** Cancels what runs beside the container, such as its health checks. */
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

  /** The container's next process; undefined when its start fails or it is removed. */
  next(id: string): Promise<RunningContainer | undefined> {
    const expected =
      this.#expected.get(id) ?? Promise.withResolvers<RunningContainer | undefined>();
    this.#expected.set(id, expected);
    return expected.promise;
  }

  /** Lets those go who wait for a process that does not come. */
  giveUp(id: string): void {
    this.#settle(id, undefined);
  }

  #settle(id: string, live: RunningContainer | undefined): void {
    this.#expected.get(id)?.resolve(live);
    this.#expected.delete(id);
  }
}
