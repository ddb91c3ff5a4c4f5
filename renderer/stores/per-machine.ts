/** What stores know is about the machine that is looked at; another one begins with nothing known. */
const resets = new Set<() => void>();

/** Beside a store that is made of more than its state: timers, readings under way. */
export function atSwitch(reset: () => void): void {
  resets.add(reset);
}

/** Wraps a store whose state is one machine's. */
export function perMachine<S extends { getInitialState(): unknown; setState: unknown }>(
  store: S,
): S {
  const setState = store.setState as (state: unknown, replace: true) => void;
  atSwitch(() => setState(store.getInitialState(), true));
  return store;
}

export function forgetMachine(): void {
  for (const reset of resets) reset();
}
