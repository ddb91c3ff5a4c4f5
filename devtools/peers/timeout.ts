/** An engine that never answers must not stop a run; for the attacks it is a finding. */
import { setTimeout as sleep } from 'node:timers/promises';
import { patienceMs } from '../../agent/e2e/patience.ts';

export class TimeoutError extends Error {}

/** Rejects with a {@link TimeoutError} when `promise` takes longer than `limitMs`; the work itself goes on. */
export async function withTimeout<T>(promise: Promise<T>, limitMs = patienceMs): Promise<T> {
  const ended = new AbortController();
  try {
    return await Promise.race([
      promise,
      sleep(limitMs, undefined, { signal: ended.signal }).then(() => {
        throw new TimeoutError(`no answer within ${limitMs / 1000} s`);
      }),
    ]);
  } finally {
    ended.abort();
  }
}
