/** A prepared sandbox as the main thread holds it: the launcher's descriptors, closed exactly once. */
import { closeSync } from 'node:fs';
import type { Prepared } from './prepare.ts';
import type { ShimProcess } from './running-process.ts';
import type { PreparedSandbox } from './runtime.ts';

/** A process of the sandbox that was begun before this was there (prestarted-process.ts): finished or given up, once. */
export interface PendingStart {
  finish(sandbox: Sandbox): Promise<ShimProcess | undefined>;
  discard(): Promise<void>;
}

export class Sandbox implements PreparedSandbox {
  readonly prepared: Prepared;
  /** Resolves when something may run in it. */
  readonly ready: Promise<void>;
  #closed = false;
  #root: number | undefined;
  /** What was begun of its process. */
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

  /** What keeps its root mounted, for the caller to close. */
  takeRoot(): number | undefined {
    const fd = this.#root;
    this.#root = undefined;
    return fd;
  }

  setPendingStart(pendingStart: PendingStart | undefined): void {
    this.#pendingStart = pendingStart;
  }

  /** For the caller to finish. */
  takePendingStart(): PendingStart | undefined {
    const pendingStart = this.#pendingStart;
    this.#pendingStart = undefined;
    return pendingStart;
  }

  /** When others hold it. */
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
    // Until then the launcher is at work on it.
    await this.ready.catch(() => {});
  }
}
