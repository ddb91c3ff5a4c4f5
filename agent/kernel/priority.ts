/** Scheduling attributes of threads: sched_setattr(2), sched(7). */
import { writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import { hasErrno, KernelError, libcCall, systemCall } from './libc.ts';
import {
  decodeScheduler,
  encodeScheduler,
  ordinary,
  schedulerBytes,
} from './scheduler-attributes.ts';

const SCHED_FLAG_RESET_ON_FORK = 0x01n;

const isAmd64 = process.arch === 'x64';
const setAttributes = systemCall('sched_setattr', isAmd64 ? 314 : 274, ['int', 'void *', 'uint']);
const getAttributes = systemCall('sched_getattr', isAmd64 ? 315 : 275, [
  'int',
  'void *',
  'uint',
  'uint',
]);

const sessionOf = libcCall('getsid', ['int']);

/**
 * Where the kernel shares the processors out by sessions first (CONFIG_SCHED_AUTOGROUP, sched(7)), a thread's
 * nice value counts only within its own, and that one has no more than all containers together. Gives it a
 * nice value of its own, if this process leads it: another's is not ours to favour. Throws Node's EPERM or EACCES.
 */
export function favourSession(nice: number): void {
  if (sessionOf(undefined, 0) !== process.pid) return;
  try {
    writeFileSync('/proc/self/autogroup', String(nice));
  } catch (error) {
    // A kernel without them.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/**
 * Gives the calling thread a nice value of -20 to -1, and a time slice of `sliceMicros` where that is given
 * (Linux 6.12; before, it changes nothing). What it starts from now on, processes and threads, begins at
 * 0 and with the kernel's time slice again. Throws KernelError: EPERM or EACCES without CAP_SYS_NICE.
 */
export function favourThread(nice: number, sliceMicros = 0): void {
  const runtime = BigInt(sliceMicros) * 1000n;
  const attributes = { ...ordinary, flags: SCHED_FLAG_RESET_ON_FORK, runtime };
  // First: nothing may inherit the priority, whatever fails.
  setAttributes(undefined, 0, encodeScheduler(attributes), 0);
  try {
    setPriority(0, nice);
  } catch (error) {
    // Node's error has no errno's name as its code.
    const errno = error instanceof Error && 'errno' in error ? Math.abs(Number(error.errno)) : 0;
    throw errno > 0 ? new KernelError('setpriority', errno, String(nice)) : error;
  }
}

/**
 * Changes the time slice of `thread` from `from` to `to` microseconds, and does nothing if its slice is another one;
 * before Linux 6.12 no thread has one. Throws KernelError: ESRCH when it has ended, EPERM for another user's without CAP_SYS_NICE.
 */
export function changeTimeSlice(thread: number, from: number, to: number): void {
  const bytes = Buffer.alloc(schedulerBytes);
  getAttributes(String(thread), thread, bytes, schedulerBytes, 0);
  const attributes = decodeScheduler(bytes);
  if (attributes.policy !== ordinary.policy || attributes.runtime !== BigInt(from) * 1000n) return;
  const changed = { ...attributes, runtime: BigInt(to) * 1000n };
  setAttributes(String(thread), thread, encodeScheduler(changed), 0);
}
