import { closeSync } from 'node:fs';

/** Collects descriptors that have to be closed when something fails. */
export class OpenDescriptors {
  readonly #fds = new Set<number>();

  add(fd: number): number {
    this.#fds.add(fd);
    return fd;
  }

  close(fd: number): void {
    if (this.#fds.delete(fd)) closeSync(fd);
  }

  closeAll(): void {
    for (const fd of [...this.#fds]) this.close(fd);
  }
}
