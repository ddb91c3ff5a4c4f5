/** The launcher's pools for the next container, filled a moment after each start. */
import { MountPool } from './mount-pool.ts';
import { NetworkPool } from './network-pool.ts';

/** The delay lets the container that was just started use the CPU first. */
const pauseMs = 30;

export class SandboxPool {
  readonly mounts = new MountPool();
  readonly network: NetworkPool;
  #timer: NodeJS.Timeout | undefined;

  constructor(procFd: number) {
    this.network = new NetworkPool(procFd);
  }

  makeSoon(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.network.make();
      this.mounts.make();
    }, pauseMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.network.close();
    this.mounts.close();
  }
}
