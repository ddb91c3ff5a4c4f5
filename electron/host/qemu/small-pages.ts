/**
 * Switches transparent huge pages off for an emulated QEMU. QEMU asks for them (madvise(2)), and each
 * page of 4 KiB that the guest touches then takes 2 MiB: 50 MB more for a machine restored from saved
 * memory. An accelerated guest gains speed by them, an emulated one does not.
 */
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi').default;

/** linux/prctl.h. */
const PR_SET_THP_DISABLE = 41;
const PR_GET_THP_DISABLE = 42;

/** Processes that `start` starts inherit the setting (PR_SET_THP_DISABLE(2const)). */
export function withSmallPages<T>(start: () => T): T {
  const prctl = loadPrctl();
  if (prctl === undefined || prctl(PR_GET_THP_DISABLE, 0) !== 0) return start();
  prctl(PR_SET_THP_DISABLE, 1);
  try {
    return start();
  } finally {
    prctl(PR_SET_THP_DISABLE, 0);
  }
}

/** Undefined where prctl(2) cannot be called; the machine then only takes more memory. */
function loadPrctl(): ((option: number, value: number) => number) | undefined {
  try {
    // koffi is loaded only here, since only an emulated machine on Linux needs it.
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const call = koffi
      .load('libc.so.6')
      .func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
    return (option, value) => call(option, value, 0, 0, 0);
  } catch {
    return undefined;
  }
}
