/** What people turn on and off of a machine, also while it runs. */
import type { Accompaniment } from './machine.ts';

export class Choice {
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

/** There while it is chosen; one is closed before the next begins. */
export function whileOn(
  choice: Choice,
  begin: () => Accompaniment,
  report: (error: unknown) => void,
): Accompaniment {
  let current: Accompaniment | undefined;
  let isOver = false;
  let last: Promise<void> = Promise.resolve();
  const follow = () => {
    last = last.then(async () => {
      const isWanted = choice.isOn && !isOver;
      if (isWanted === (current !== undefined)) return;
      const old = current;
      current = isWanted ? begin() : undefined;
      await old?.close();
    });
    last = last.catch(report);
  };
  const stop = choice.onChange(follow);
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
