/** What the app does for a machine every so often: not while that rests, and at once when it wakes. */
import type { CompanionContext } from '../machine/machine.ts';

export interface Rounds {
  /** Out of turn. One that rests is left alone: its waking does it. */
  now(): Promise<void>;
  close(): void;
}

/** A round that does not ask the machine at once looks before it does whether that rests by now. */
export function whileAwake(
  { onRest }: Pick<CompanionContext, 'onRest'>,
  everyMs: number,
  round: (isResting: () => boolean) => Promise<void>,
): Rounds {
  let isResting = false;
  const now = async () => {
    if (!isResting) await round(() => isResting);
  };
  const timer = setInterval(() => void now(), everyMs);
  timer.unref();
  const stopFollowing = onRest((resting) => {
    isResting = resting;
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
