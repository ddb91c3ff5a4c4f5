/**
 * Where the launcher waits, if it must, for what the main thread makes meanwhile. The launcher may block:
 * it has nothing else to do, and nobody speaks to it but the main thread.
 */
export type Latch = Int32Array<SharedArrayBuffer>;

const State = { closed: 0, open: 1, refused: 2 } as const;

export function newLatch(): Latch {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function openLatch(latch: Latch): void {
  settle(latch, State.open);
}

/** It could not be made. Does nothing to a latch that is open. */
export function failLatch(latch: Latch): void {
  settle(latch, State.refused);
}

/** On the launcher's thread. Throws when it will not be there; why, the main thread knows. */
export function awaitLatch(latch: Latch, what: string): void {
  Atomics.wait(latch, 0, State.closed);
  if (Atomics.load(latch, 0) === State.refused)
    throw new Error(`${what} of the container could not be made`);
}

function settle(latch: Latch, state: number): void {
  if (Atomics.compareExchange(latch, 0, State.closed, state) === State.closed)
    Atomics.notify(latch, 0);
}
