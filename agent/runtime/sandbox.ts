/** A prepared sandbox on the main thread. The launcher's descriptors are closed exactly once. */
import { closeSync } from 'node:fs';
import type { Prepared } from './prepare.ts';
import type { ShimProcess } from './running-process.ts';
import type { PreparedSandbox } from './runtime.ts';

/**
 * A process that was started before the sandbox was ready (prestarted-process.ts). Either finished
 * or discarded, once.
 */
export interface PendingStart {
  finish(sandbox: Sandbox): Promise<ShimProcess | undefined>;
  discard(): Promise<void>;
}

export class Sandbox implements PreparedSandbox {
  readonly prepared: Prepared;
  /** Resolves when something may run in the sandbox. */
  readonly ready: Promise<void>;
  #closed = false;
  #root: number | undefined;
  /** The prestarted process, if there is one. */
  #pendingStart: PendingStart | undefined;

  constructor(prepared: Prepared, ready: Promise<void> = Promise.resolve()) {
    this.prepared = prepared;
    this.ready = ready;
    this.#root = prepared.rootHolderFd;
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

  /** Returns the descriptor that keeps the root mounted. The caller closes it. */
  takeRoot(): number | undefined {
    const fd = this.#root;
    this.#root = undefined;
    return fd;
  }

  setPendingStart(pendingStart: PendingStart | undefined): void {
    this.#pendingStart = pendingStart;
  }

  /** Returns the prestarted process for the caller to finish. */
  takePendingStart(): PendingStart | undefined {
    const pendingStart = this.#pendingStart;
    this.#pendingStart = undefined;
    return pendingStart;
  }

  /** Closes all descriptors except the root's, once another process holds them. */
  closeAllButRoot(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { namespaces, netlinkFd, terminal, late, rootFd, borrowedFd, rootHolderFd } =
      this.prepared;
    const all = [
      ...Object.values(namespaces),
      netlinkFd,
      terminal?.masterFd,
      terminal?.slaveFd,
      rootFd,
      borrowedFd,
      ...late.attach.map(({ fd }) => fd),
    ];
    for (const fd of all) if (fd !== undefined && fd !== rootHolderFd) closeSync(fd);
  }

  async close(): Promise<void> {
    this.closeAllButRoot();
    const root = this.takeRoot();
    if (root !== undefined) closeSync(root);
    await this.takePendingStart()?.discard();
    // Until then the launcher still works on this sandbox.
    await this.ready.catch(() => {});
  }
}
