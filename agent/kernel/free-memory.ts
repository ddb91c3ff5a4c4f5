import { readFileSync } from 'node:fs';
import { hasErrno, libcCall } from './libc.ts';

const MADV_PAGEOUT = 21;

const mallocTrimCall = libcCall('malloc_trim', ['size_t']);
const madviseCall = libcCall('madvise', ['uint64_t', 'size_t', 'int']);

/**
 * Gives memory that was freed back to the machine (malloc_trim(3)). The C library keeps it otherwise,
 * since it cannot know that a burst of work is over. Takes about a millisecond.
 */
export function returnFreeMemory(): void {
  mallocTrimCall(undefined, 0);
}

/**
 * Lets go of the pages of this program and its libraries that nobody changes, as long as no other process has them too. What is
 * used again is read again; what only the start used is not (madvise(2), Linux 5.4).
 */
export function pageOutProgram(): void {
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    // Private, not writable, and of a file (proc_pid_maps(5)).
    const [, start, end] = /^(\w+)-(\w+) r-.p \w+ \S+ [1-9]/.exec(line) ?? [];
    if (start === undefined || end === undefined) continue;
    const from = BigInt(`0x${start}`);
    try {
      madviseCall(line, from, BigInt(`0x${end}`) - from, MADV_PAGEOUT);
    } catch (error) {
      // A kernel without it, or a library that was unloaded meanwhile: the pages stay.
      if (!hasErrno(error, 'EINVAL', 'ENOMEM')) throw error;
    }
  }
}
