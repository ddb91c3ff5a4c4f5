/**
 * Where one thread waits, if it must, for what another does meanwhile: the launcher for the control groups,
 * the main thread until the launcher has taken the machine's tree off a sandbox. The launcher may block:
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

/** What was awaited will not be. Does nothing to a gate that is open. */
export function refuseAtGate(gate: Gate): void {
  settle(gate, State.refused);
}

/** On the launcher's thread; throws `refusal`. */
export function passGate(gate: Gate, refusal: string): void {
  Atomics.wait(gate, 0, State.closed);
  throwIfRefused(gate, refusal);
}

/** On the main thread; throws `refusal`. */
export async function passGateLater(gate: Gate, refusal: string): Promise<void> {
  const waiting = Atomics.waitAsync(gate, 0, State.closed);
  if (waiting.async) await waiting.value;
  throwIfRefused(gate, refusal);
}

function throwIfRefused(gate: Gate, refusal: string): void {
  if (Atomics.load(gate, 0) === State.refused) throw new Error(refusal);
}

function settle(gate: Gate, state: number): void {
  if (Atomics.compareExchange(gate, 0, State.closed, state) === State.closed)
    Atomics.notify(gate, 0);
}
