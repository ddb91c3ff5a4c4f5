import { closeSync } from 'node:fs';

/** Descriptors that must be closed if anything fails. */
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
