import type { CompanionContext } from '../machine.ts';

export interface RestAtWill extends Pick<CompanionContext, 'onRest'> {
  rest(isResting: boolean): void;
}

/** A machine that rests and wakes when its test says so. */
export function restAtWill(): RestAtWill {
  const listeners = new Set<(isResting: boolean) => void>();
  return {
    onRest(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    rest(isResting) {
      for (const listener of listeners) listener(isResting);
    },
  };
}
