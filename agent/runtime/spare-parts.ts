/** What the launcher makes ahead of the next container, a moment after the last one. */
import { SpareMounts } from './spare-mounts.ts';
import { SpareNetwork } from './spare-network.ts';

/** By when the container that was just made has its processor to itself no longer. */
const pauseMs = 30;

export class SpareParts {
  readonly mounts = new SpareMounts();
  readonly network: SpareNetwork;
  #timer: NodeJS.Timeout | undefined;

  constructor(procFd: number) {
    this.network = new SpareNetwork(procFd);
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
