/** Repeats work for a machine at an interval, except while it is paused, and at once when it resumes. */
import type { CompanionContext } from '../machine/machine.ts';

export interface Poll {
  /** Runs the work at once. Does nothing while the machine is paused, since its resume runs it. */
  now(): Promise<void>;
  close(): void;
}

/** Work that does something else first asks `isPaused` before it sends a request to the machine. */
export function pollWhileRunning(
  { onPauseChange }: Pick<CompanionContext, 'onPauseChange'>,
  everyMs: number,
  work: (isPaused: () => boolean) => Promise<void>,
): Poll {
  let isPaused = false;
  const now = async () => {
    if (!isPaused) await work(() => isPaused);
  };
  const timer = setInterval(() => void now(), everyMs);
  timer.unref();
  const stopFollowing = onPauseChange((paused) => {
    isPaused = paused;
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
