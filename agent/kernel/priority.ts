/** When a thread gets the processor: sched_setscheduler(2), sched(7). */
import { setPriority } from 'node:os';
import { libcCall } from './libc.ts';

const SCHED_OTHER = 0;
const SCHED_RESET_ON_FORK = 0x40000000;

const setScheduler = libcCall('sched_setscheduler', ['int', 'int', 'void *']);

/**
 * Gives the calling thread a nice value of -20 to -1. What it starts from now on, processes and threads,
 * begins at 0 again. Throws KernelError, or Node's own error: EPERM or EACCES without CAP_SYS_NICE.
 */
export function favourThread(nice: number): void {
  // First: nothing may inherit the priority, whatever fails.
  const parameters = Buffer.alloc(4);
  setScheduler(undefined, 0, SCHED_OTHER | SCHED_RESET_ON_FORK, parameters);
  setPriority(0, nice);
}
