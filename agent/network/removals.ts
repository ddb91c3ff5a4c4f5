/**
 * Removes veth pairs. The kernel needs 15 to 40 ms for each (measured) and holds the lock of all network
 * configuration, so removal runs on a thread of the pool, one datagram at a time. The pair of a container that has
 * ended is left to the kernel, which removes it with the namespace.
 */
import { closeSync } from 'node:fs';
import { deleteLink } from './link.ts';
import type { Rtnetlink } from './rtnetlink.ts';

export class LinkRemovals {
  /** A socket of its own, because another thread uses it. */
  readonly #netlink: Rtnetlink;
  #waiting: string[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(netlink: Rtnetlink) {
    this.#netlink = netlink;
  }

  /** Resolves when the interface is gone, also when it was absent. */
  remove(name: string): Promise<void> {
    this.#waiting.push(name);
    this.#next ??= this.#last.then(() => this.#removeWaiting());
    return this.#next;
  }

  /** Waits for the removal in progress, because a thread still uses the socket. */
  async close(): Promise<void> {
    // The callers of that removal have got its error.
    await this.#next?.catch(() => undefined);
    await this.#last;
    closeSync(this.#netlink.fd);
  }

  #removeWaiting(): Promise<void> {
    const names = this.#waiting;
    this.#waiting = [];
    this.#next = undefined;
    const work = this.#netlink.executeInBackground(...names.map(deleteLink));
    // The next removal must run even if this one fails; its callers get the error.
    this.#last = work.catch(() => undefined);
    return work;
  }
}
