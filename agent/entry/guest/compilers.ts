/**
 * V8's compilers are off while a machine starts. An emulated processor translates each piece of code when it first runs, and
 * a quarter of the code of a start was the compilers' own, for functions that run a few hundred times. The flags are not on
 * Node's command line, because with other flags V8 refuses all code that was compiled before, including Node's own.
 */
import { setFlagsFromString } from 'node:v8';

export const compilers = ['sparkplug', 'maglev', 'turbofan'] as const;

/** The app's first requests come right after the start, and would wait for the compilers. */
const delayMs = 15_000;

export function pauseCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--no-${name}`);
}

export function resumeCompilersLater(afterMs = delayMs): void {
  setTimeout(resumeCompilers, afterMs).unref();
}

/** Flags belong to the process, so that threads which have started meanwhile get the compilers too. */
export function resumeCompilers(): void {
  for (const name of compilers) setFlagsFromString(`--${name}`);
}
