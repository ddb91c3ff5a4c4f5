/** Collecting shims that have ended, or are about to. */
import { hasErrno } from '../kernel/libc.ts';
import { reapChild } from '../kernel/process.ts';

const reapRetryMs = 20;

/** Collects the shim so that no zombie stays. It is about to end, but need not have ended yet. */
export function reapInBackground(shimPid: number): void {
  try {
    if (reapChild(shimPid)) return;
  } catch (error) {
    // An adopted shim is not our child; init collects it.
    if (hasErrno(error, 'ECHILD')) return;
    throw error;
  }
  setTimeout(() => reapInBackground(shimPid), reapRetryMs).unref();
}
