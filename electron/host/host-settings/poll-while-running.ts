/** What the app does for a machine every so often: not while that rests, and at once when it wakes. */
import type { CompanionContext } from '../machine/machine.ts';

export interface Poll {
  /** Out of turn. One that rests is left alone: its waking does it. */
  now(): Promise<void>;
  close(): void;
}

/** A round that does not ask the machine at once looks before it does whether that rests by now. */
export function pollWhileRunning(
  { onPauseChange }: Pick<CompanionContext, 'onPauseChange'>,
  everyMs: number,
  round: (isPaused: () => boolean) => Promise<void>,
): Poll {
  let isPaused = false;
  const now = async () => {
    if (!isPaused) await round(() => isPaused);
  };
  const timer = setInterval(() => void now(), everyMs);
  timer.unref();
  const stopFollowing = onPauseChange((resting) => {
    isPaused = resting;
    void now();
  });
  void now();
  return {
    now,
    close() {
      clearInterval(timer);
      stopFollowing();
    },
  };
}
