/** Node's timers hold 31 bits of milliseconds, 24.8 days: a longer one fires at once (nodejs.org/api/timers). */
const longestMs = 2 ** 31 - 1;

/** As near to the wished time as a timer can be. Whoever has to be exact asks the clock when it fires. */
export function timerMs(wishedMs: number): number {
  return Math.min(Math.max(wishedMs, 0), longestMs);
}
