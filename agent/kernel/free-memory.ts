import { libcCall } from './libc.ts';

const mallocTrimCall = libcCall('malloc_trim', ['size_t']);

/**
 * Gives memory that was freed back to the machine (malloc_trim(3)). The C library keeps it otherwise,
 * since it cannot know that a burst of work is over. Takes about a millisecond.
 */
export function returnFreeMemory(): void {
  mallocTrimCall(undefined, 0);
}
