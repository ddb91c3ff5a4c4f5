/** A feature of a machine that the user turns on and off, also while the machine runs. */
import type { RunningCompanion } from './machine.ts';

export class Toggle {
  #isOn: boolean;
  readonly #listeners = new Set<() => void>();

  constructor(isOn: boolean) {
    this.#isOn = isOn;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  set(isOn: boolean): void {
    if (isOn === this.#isOn) return;
    this.#isOn = isOn;
    for (const listener of this.#listeners) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Runs a companion while the toggle is on. One is closed before the next begins. */
export function whileOn(
  toggle: Toggle,
  begin: () => RunningCompanion,
  report: (error: unknown) => void,
): RunningCompanion {
  let current: RunningCompanion | undefined;
  let isOver = false;
  let last: Promise<void> = Promise.resolve();
  const follow = () => {
    last = last.then(async () => {
      const isWanted = toggle.isOn && !isOver;
      if (isWanted === (current !== undefined)) return;
      const old = current;
      current = isWanted ? begin() : undefined;
      await old?.close();
    });
    last = last.catch(report);
  };
  const stop = toggle.onChange(follow);
  follow();
  return {
    async close() {
      isOver = true;
      stop();
      follow();
      await last;
    },
  };
}
