/**
 * Takes veth pairs away. The kernel needs 15 to 40 ms for each (measured), holding the lock of all
 * network configuration; so it happens on a thread of the pool, one datagram at a time, and a pair
 * whose container has ended is left to the kernel, which removes it with the namespace anyway.
 */
import { closeSync } from 'node:fs';
import { deleteLink } from './link.ts';
import type { Rtnetlink } from './rtnetlink.ts';

export class LinkRemovals {
  /** A conversation of its own: another thread uses it. */
  readonly #netlink: Rtnetlink;
  #waiting: string[] = [];
  #next: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(netlink: Rtnetlink) {
    this.#netlink = netlink;
  }

  /** Resolves when the interface is gone; one that is gone already is fine. */
  remove(name: string): Promise<void> {
    this.#waiting.push(name);
    this.#next ??= this.#last.then(() => this.#removeWaiting());
    return this.#next;
  }

  /** Finishes what is under way first: a thread still uses the socket. */
  async close(): Promise<void> {
    // Its callers have heard of the failure.
    await this.#next?.catch(() => undefined);
    await this.#last;
    closeSync(this.#netlink.fd);
  }

  #removeWaiting(): Promise<void> {
    const names = this.#waiting;
    this.#waiting = [];
    this.#next = undefined;
    const work = this.#netlink.executeInBackground(...names.map(deleteLink));
    // What waits next must run whether this worked or not; the callers of this get the error.
    this.#last = work.catch(() => undefined);
    return work;
  }
}
