/** When a thread gets the processor: sched_setscheduler(2), sched(7). */
import { setPriority } from 'node:os';
import { KernelError, libcCall } from './libc.ts';

const SCHED_OTHER = 0;
const SCHED_RESET_ON_FORK = 0x40000000;

const setScheduler = libcCall('sched_setscheduler', ['int', 'int', 'void *']);

/**
 * Gives the calling thread a nice value of -20 to -1. What it starts from now on, processes and threads,
 * begins at 0 again. Throws KernelError: EPERM or EACCES without CAP_SYS_NICE.
 */
export function favourThread(nice: number): void {
  // First: nothing may inherit the priority, whatever fails.
  const parameters = Buffer.alloc(4);
  setScheduler(undefined, 0, SCHED_OTHER | SCHED_RESET_ON_FORK, parameters);
  try {
    setPriority(0, nice);
  } catch (error) {
    // Node's error has no errno's name as its code.
    const errno = error instanceof Error && 'errno' in error ? Math.abs(Number(error.errno)) : 0;
    throw errno > 0 ? new KernelError('setpriority', errno, String(nice)) : error;
  }
}
