/**
 * The longest timer of Node: 31 bits of milliseconds, 24.8 days. A longer one fires at once
 * (nodejs.org/api/timers).
 */
const longestMs = 2 ** 31 - 1;

/**
 * The wished time, or Node's longest timer. Callers that need to be exact check the clock when it
 * fires.
 */
export function timerMs(wishedMs: number): number {
  return Math.min(Math.max(wishedMs, 0), longestMs);
}
