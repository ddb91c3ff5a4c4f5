/** Whether the app's host core, which is behind this window, can be reached. */
import { watchConnection } from '../bridge/system.ts';
import { useMachine } from './machine.ts';

/** A page that loads has no connection yet. It counts as unreachable after this time only. */
export const firstConnectionTimeoutMs = 2_000;

/** Keeps `useMachine`'s `connected` up to date until the signal aborts. A lost connection is reported at once. */
export function followConnection(signal: AbortSignal): void {
  const setConnected = (connected: boolean) => useMachine.setState({ connected });
  const timer = setTimeout(() => setConnected(false), firstConnectionTimeoutMs);
  let wasConnected = false;
  const unwatch = watchConnection((connected) => {
    if (connected) {
      wasConnected = true;
      clearTimeout(timer);
    }
    if (wasConnected) setConnected(connected);
  });
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    unwatch();
  });
}
