/**
 * QEMU asks the kernel for large pages for the guest's memory, and then a page of 4 KiB that the guest has takes 2 MiB of this
 * computer: 50 MB more of a machine that goes on from saved memory. An accelerated processor gains by them; emulation does not.
 */
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi').default;

/** linux/prctl.h. */
const PR_SET_THP_DISABLE = 41;
const PR_GET_THP_DISABLE = 42;

/** What `start` starts has small pages only, since a new process has this from its parent (PR_SET_THP_DISABLE(2const)). */
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

/** Undefined where there is none; the machine then is larger, and works. */
function loadPrctl(): ((option: number, value: number) => number) | undefined {
  try {
    // Here and not above: only an emulated machine on Linux has a use for it.
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const call = koffi
      .load('libc.so.6')
      .func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
    return (option, value) => call(option, value, 0, 0, 0);
  } catch {
    return undefined;
  }
}
