import { readFileSync } from 'node:fs';
import { hasErrno, libcCall } from './libc.ts';

const MADV_PAGEOUT = 21;

const mallocTrimCall = libcCall('malloc_trim', ['size_t']);
const madviseCall = libcCall('madvise', ['uint64_t', 'size_t', 'int']);

/**
 * Returns freed memory to the machine (malloc_trim(3)). The C library otherwise keeps it, since it cannot know that a
 * burst of work is over. Takes about a millisecond.
 */
export function returnFreeMemory(): void {
  mallocTrimCall(undefined, 0);
}

/**
 * Pages out read-only pages of this program and its libraries that no other process shares. Pages in use are read
 * again; those of the start are not (madvise(2), Linux 5.4).
 */
export function pageOutProgram(): void {
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\n')) {
    // Only private, read-only mappings of files (proc_pid_maps(5)).
    const [, start, end] = /^(\w+)-(\w+) r-.p \w+ \S+ [1-9]/.exec(line) ?? [];
    if (start === undefined || end === undefined) continue;
    const from = BigInt(`0x${start}`);
    try {
      madviseCall(line, from, BigInt(`0x${end}`) - from, MADV_PAGEOUT);
    } catch (error) {
      // The kernel lacks it, or the library was unloaded meanwhile: the pages stay.
      if (!hasErrno(error, 'EINVAL', 'ENOMEM')) throw error;
    }
  }
}
