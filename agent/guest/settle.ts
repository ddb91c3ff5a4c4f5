/** The app's first questions come right after the start, and would wait. */
const quietMs = 5_000;

/** What only a start needed goes back to the host a little later: files that were read, programs' pages, freed memory. */
export function settleLater(freeMemory: () => void, afterMs = quietMs): void {
  setTimeout(() => {
    try {
      freeMemory();
    } catch (error) {
      // The machine is larger without it, and works.
      console.error('corten: the memory of the start was not given back:', error);
    }
  }, afterMs).unref();
}
