/** Sets scheduling attributes of threads: sched_setattr(2), sched(7). */
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
 * Raises the priority of the process's session. With CONFIG_SCHED_AUTOGROUP the kernel shares the CPUs between
 * sessions first (sched(7)): a thread's nice value counts only within its session, which has no more than all
 * containers together. It applies only if this process leads the session. Throws Node's EPERM or EACCES.
 */
export function raiseSessionPriority(nice: number): void {
  if (sessionOf(undefined, 0) !== process.pid) return;
  try {
    writeFileSync('/proc/self/autogroup', String(nice));
  } catch (error) {
    // The kernel has no autogroups.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/**
 * Gives the calling thread a nice value of -20 to -1 and, if given, a time slice of `sliceMicros` (Linux 6.12; no
 * effect before). Processes and threads that it starts later have nice value 0 and the kernel's time slice. Throws
 * KernelError: EPERM or EACCES without CAP_SYS_NICE.
 */
export function raiseThreadPriority(nice: number, sliceMicros = 0): void {
  const runtime = BigInt(sliceMicros) * 1000n;
  const attributes = { ...ordinary, flags: SCHED_FLAG_RESET_ON_FORK, runtime };
  // Inheritance is switched off first, so that no failure lets a child inherit the priority.
  setAttributes(undefined, 0, encodeScheduler(attributes), 0);
  try {
    setPriority(0, nice);
  } catch (error) {
    // The code of Node's error is not the name of an errno here.
    const errno = error instanceof Error && 'errno' in error ? Math.abs(Number(error.errno)) : 0;
    throw errno > 0 ? new KernelError('setpriority', errno, String(nice)) : error;
  }
}

/**
 * Changes the time slice of `thread` from `from` to `to` microseconds, unless it has another one; before Linux 6.12
 * threads have none. Throws KernelError: ESRCH when it has ended, EPERM for another user's thread without
 * CAP_SYS_NICE.
 */
export function changeTimeSlice(thread: number, from: number, to: number): void {
  const bytes = Buffer.alloc(schedulerBytes);
  getAttributes(String(thread), thread, bytes, schedulerBytes, 0);
  const attributes = decodeScheduler(bytes);
  if (attributes.policy !== ordinary.policy || attributes.runtime !== BigInt(from) * 1000n) return;
  const changed = { ...attributes, runtime: BigInt(to) * 1000n };
  setAttributes(String(thread), thread, encodeScheduler(changed), 0);
}
