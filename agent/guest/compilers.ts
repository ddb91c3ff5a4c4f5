/**
 * V8's compilers, which vm-image/guest/agent leaves off for the start. An emulated processor translates each piece of
 * code when it is first run, and of what a start runs a quarter was these compilers' own, for functions that run a few
 * hundred times.
 */
import { setTimeout } from 'node:timers';
import { setFlagsFromString } from 'node:v8';

export const compilers = ['sparkplug', 'maglev', 'turbofan'] as const;

/** The app's first questions come right after the start, and would wait for the compilers. */
const quietMs = 15_000;

export function startCompilersLater(afterMs = quietMs): void {
  setTimeout(startCompilers, afterMs).unref();
}

/** Threads that begin later have them too: the flags are the process's. */
export function startCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--${name}`);
}
