/**
 * Where the launcher waits, if it must, for the control groups that the main thread makes meanwhile.
 * The launcher may block: it has nothing else to do, and nobody speaks to it but the main thread.
 */
export type GroupGate = Int32Array<SharedArrayBuffer>;

const State = { closed: 0, open: 1, refused: 2 } as const;

export function newGate(): GroupGate {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function openGate(gate: GroupGate): void {
  settle(gate, State.open);
}

/** The groups could not be made. Does nothing to a gate that is open. */
export function refuseAtGate(gate: GroupGate): void {
  settle(gate, State.refused);
}

/** On the launcher's thread. Throws when the groups will not be there. */
export function passGate(gate: GroupGate): void {
  Atomics.wait(gate, 0, State.closed);
  if (Atomics.load(gate, 0) === State.refused)
    throw new Error('the control groups of the container could not be made');
}

function settle(gate: GroupGate, state: number): void {
  if (Atomics.compareExchange(gate, 0, State.closed, state) === State.closed)
    Atomics.notify(gate, 0);
}
