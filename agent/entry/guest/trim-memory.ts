/** The app's first requests come right after the start, and trimming would delay their answers. */
const delayMs = 5_000;

/** Gives memory that only the start needed back to the host: cached files, programs' pages and freed heap. */
export function trimMemoryLater(freeMemory: () => void, afterMs = delayMs): void {
  setTimeout(() => {
    try {
      freeMemory();
    } catch (error) {
      // A machine that keeps this memory is larger, but works.
      console.error('corten: the memory of the start was not given back:', error);
    }
  }, afterMs).unref();
}
