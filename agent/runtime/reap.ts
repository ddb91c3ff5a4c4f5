/** Collects the exit status of shims. */
import { hasErrno } from '../kernel/libc.ts';
import { reapChild } from '../kernel/process.ts';

const reapRetryMs = 20;

/** Collects an ending shim, so that no zombie remains. Retries until it has ended. */
export function reapInBackground(shimPid: number): void {
  try {
    if (reapChild(shimPid)) return;
  } catch (error) {
    // A re-adopted shim is not a child of this process; init collects it.
    if (hasErrno(error, 'ECHILD')) return;
    throw error;
  }
  setTimeout(() => reapInBackground(shimPid), reapRetryMs).unref();
}
