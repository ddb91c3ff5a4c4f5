/**
 * V8's compilers rest while a machine starts. An emulated processor translates each piece of code when it is first run, and
 * of what a start ran a quarter was these compilers' own, for functions that run a few hundred times. Not by Node's
 * command line: with other flags from the beginning V8 refuses all code that was compiled ahead, Node's own too.
 */
import { setFlagsFromString } from 'node:v8';

export const compilers = ['sparkplug', 'maglev', 'turbofan'] as const;

/** The app's first questions come right after the start, and would wait for the compilers. */
const quietMs = 15_000;

export function restCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--no-${name}`);
}

export function startCompilersLater(afterMs = quietMs): void {
  setTimeout(startCompilers, afterMs).unref();
}

/** Threads that have begun meanwhile have them too: the flags are the process's. */
export function startCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--${name}`);
}
