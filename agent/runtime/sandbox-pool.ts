/** What the launcher makes ahead of the next container, a moment after the last one. */
import { MountPool } from './mount-pool.ts';
import { NetworkPool } from './network-pool.ts';

/** By when the container that was just made has its processor to itself no longer. */
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
