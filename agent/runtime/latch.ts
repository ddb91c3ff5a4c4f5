/**
 * A latch with which the main thread lets the launcher continue. The launcher may block, since it
 * serves nobody but the main thread.
 */
export type Latch = Int32Array<SharedArrayBuffer>;

const State = { closed: 0, open: 1, refused: 2 } as const;

export function newLatch(): Latch {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function openLatch(latch: Latch): void {
  settle(latch, State.open);
}

/** Makes the launcher fail at the latch. Does nothing when the latch is open. */
export function failLatch(latch: Latch): void {
  settle(latch, State.refused);
}

/**
 * Blocks the launcher's thread. Throws when the main thread failed; that thread knows the reason.
 */
export function awaitLatch(latch: Latch, what: string): void {
  Atomics.wait(latch, 0, State.closed);
  if (Atomics.load(latch, 0) === State.refused)
    throw new Error(`${what} of the container could not be made`);
}

function settle(latch: Latch, state: number): void {
  if (Atomics.compareExchange(latch, 0, State.closed, state) === State.closed)
    Atomics.notify(latch, 0);
}
