/**
 * A network namespace made ahead, with its loopback up, while nobody waits: making one takes as long as all the other
 * namespaces and mounts of a small container together. Each is used once, by one container.
 */
import { closeSync } from 'node:fs';
import { bringLoopbackUp } from '../kernel/loopback.ts';
import { NamespaceFlag, namespaceFile, unshare } from '../kernel/namespaces.ts';
import { openOwnNamespace } from '../kernel/procfs.ts';
import { comeHome } from './come-home.ts';

export class SpareNetwork {
  readonly #procFd: number;
  #fd: number | undefined;

  constructor(procFd: number) {
    this.#procFd = procFd;
  }

  /** A descriptor that is the caller's from now on; undefined when there is none yet. */
  take(): number | undefined {
    const fd = this.#fd;
    this.#fd = undefined;
    return fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Unless there is one. A thread that cannot come home from it ends. */
  make(): void {
    if (this.#fd !== undefined) return;
    try {
      unshare(NamespaceFlag.network);
    } catch {
      // user.max_net_namespaces, or no memory: the next container says so, if it is still the case.
      return;
    }
    try {
      bringLoopbackUp();
      this.#fd = openOwnNamespace(this.#procFd, namespaceFile.network);
    } finally {
      comeHome(NamespaceFlag.network);
    }
  }
}
