/** A prepared sandbox as the main thread holds it: the launcher's descriptors, closed exactly once. */
import { closeSync } from 'node:fs';
import type { Prepared } from './prepare.ts';
import type { PreparedSandbox } from './runtime.ts';

export class Sandbox implements PreparedSandbox {
  readonly prepared: Prepared;
  /** Resolves when something may run in it. */
  readonly ready: Promise<void>;
  #closed = false;
  #overlayFd: number | undefined;

  constructor(prepared: Prepared, ready: Promise<void> = Promise.resolve()) {
    this.prepared = prepared;
    this.ready = ready;
    this.#overlayFd = prepared.overlayFd;
  }

  get networkFd(): number | undefined {
    return this.prepared.namespaces.network;
  }

  get netlinkFd(): number | undefined {
    return this.prepared.netlinkFd;
  }

  get files(): ReadonlyMap<string, string> {
    return this.prepared.files;
  }

  /** The overlay that is its root, for the caller to close. */
  takeOverlay(): number | undefined {
    const fd = this.#overlayFd;
    this.#overlayFd = undefined;
    return fd;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { namespaces, netlinkFd, terminal, late, rootFd, belowFd } = this.prepared;
    const all = [
      ...Object.values(namespaces),
      netlinkFd,
      terminal?.masterFd,
      terminal?.slaveFd,
      rootFd,
      belowFd,
      this.#overlayFd,
      ...late.attach.map(({ fd }) => fd),
    ];
    for (const fd of all) if (fd !== undefined) closeSync(fd);
  }
}
