import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs as usualMs } from './patience.ts';

const lookMs = 10;

/** Waits for what will surely happen, with a bound so that a test can fail, and says how far it was. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string) = String(holds),
  patienceMs = usualMs,
): Promise<void> {
  for (const end = performance.now() + patienceMs; !(await holds()); await sleep(lookMs))
    if (performance.now() > end)
      throw new Error(`It never happened: ${typeof what === 'string' ? what : what()}`);
}

/** Tries until the check passes; its last failure is the test's. */
export async function eventually(check: () => unknown): Promise<void> {
  for (const end = performance.now() + usualMs; ; await sleep(100))
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
}
