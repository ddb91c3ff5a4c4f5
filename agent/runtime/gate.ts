/**
 * Where the launcher waits, if it must, for what the main thread makes meanwhile. The launcher may block:
 * it has nothing else to do, and nobody speaks to it but the main thread.
 */
export type Gate = Int32Array<SharedArrayBuffer>;

const State = { closed: 0, open: 1, refused: 2 } as const;

export function newGate(): Gate {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function openGate(gate: Gate): void {
  settle(gate, State.open);
}

/** It could not be made. Does nothing to a gate that is open. */
export function refuseAtGate(gate: Gate): void {
  settle(gate, State.refused);
}

/** On the launcher's thread. Throws when it will not be there; why, the main thread knows. */
export function passGate(gate: Gate, what: string): void {
  Atomics.wait(gate, 0, State.closed);
  if (Atomics.load(gate, 0) === State.refused)
    throw new Error(`${what} of the container could not be made`);
}

function settle(gate: Gate, state: number): void {
  if (Atomics.compareExchange(gate, 0, State.closed, state) === State.closed)
    Atomics.notify(gate, 0);
}
