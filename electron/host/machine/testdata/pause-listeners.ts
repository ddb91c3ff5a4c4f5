import type { CompanionContext } from '../machine.ts';

export interface PauseListeners extends Pick<CompanionContext, 'onPauseChange'> {
  setPaused(isPaused: boolean): void;
}

/** Pauses and resumes that a test triggers. */
export function pauseListeners(): PauseListeners {
  const listeners = new Set<(isPaused: boolean) => void>();
  return {
    onPauseChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    setPaused(isPaused) {
      for (const listener of listeners) listener(isPaused);
    },
  };
}
