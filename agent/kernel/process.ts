/**
 * Processes: posix_spawn(3), pidfds and waiting. A pidfd means one process for good, so a signal through it never
 * reaches another one with the same number.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { hasErrno, KernelError, libcCall, systemCall } from './libc.ts';

const F_DUPFD_CLOEXEC = 1030;
/** Timeout for a process that is ending. */
const endingMs = 1000;
const WNOHANG = 1;
const PR_SET_CHILD_SUBREAPER = 36;
const RLIMIT_NOFILE = 7;
const RLIM_INFINITY = 0xffff_ffff_ffff_ffffn;
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** Bytes that are enough for glibc's opaque spawn types on every 64-bit architecture (80 and 336 on amd64). */
const opaqueBytes = 512;

const pidfdOpenCall = systemCall('pidfd_open', 434, ['int', 'uint']);
const pidfdSendSignalCall = systemCall('pidfd_send_signal', 424, ['int', 'int', 'void *', 'uint']);
const pidfdGetfdCall = systemCall('pidfd_getfd', 438, ['int', 'int', 'uint']);
const prlimitCall = libcCall('prlimit', ['int', 'int', 'void *', 'void *']);
const POLLIN = 1;

const pollCall = libcCall('poll', ['void *', 'ulong', 'int']);
const waitpidCall = libcCall('waitpid', ['int', 'void *', 'int']);
const gettidCall = libcCall('gettid', []);
const fcntlCall = libcCall('fcntl', ['int', 'int', 'int']);
const prctlCall = libcCall('prctl', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
const actionsInit = libcCall('posix_spawn_file_actions_init', ['void *']);
const actionsDup2 = libcCall('posix_spawn_file_actions_adddup2', ['void *', 'int', 'int']);
const actionsDestroy = libcCall('posix_spawn_file_actions_destroy', ['void *']);
const attributesInit = libcCall('posix_spawnattr_init', ['void *']);
const attributesFlags = libcCall('posix_spawnattr_setflags', ['void *', 'short']);
const attributesDefaults = libcCall('posix_spawnattr_setsigdefault', ['void *', 'void *']);
const attributesDestroy = libcCall('posix_spawnattr_destroy', ['void *']);
const sigfillset = libcCall('sigfillset', ['void *']);
const spawnCall = libcCall('posix_spawn', [
  'void *',
  'str',
  'void *',
  'void *',
  'char **',
  'char **',
]);

/**
 * Spawns the program of `programFd` as leader of a new session, with all signals at their defaults and unblocked.
 * `descriptors[n]` becomes the child's descriptor n; all others are close-on-exec. Returns the PID.
 */
export function spawn(programFd: number, args: string[], descriptors: readonly number[]): number {
  const raised: number[] = [];
  // A source below the highest target could be overwritten before it is used.
  const raise = (fd: number) => {
    if (fd >= descriptors.length) return fd;
    const copy = duplicateFrom(fd, descriptors.length);
    raised.push(copy);
    return copy;
  };
  try {
    const sources = descriptors.map(raise);
    return spawnWith(`/proc/self/fd/${raise(programFd)}`, args, sources);
  } finally {
    for (const fd of raised) closeSync(fd);
  }
}

function spawnWith(path: string, args: string[], sources: readonly number[]): number {
  const actions = Buffer.alloc(opaqueBytes);
  const attributes = Buffer.alloc(opaqueBytes);
  const signals = Buffer.alloc(128);
  const pid = Buffer.alloc(4);
  actionsInit(undefined, actions);
  attributesInit(undefined, attributes);
  try {
    for (const [number, fd] of sources.entries()) actionsDup2(undefined, actions, fd, number);
    // The signal mask in new attributes is empty.
    const flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    attributesFlags(undefined, attributes, flags);
    sigfillset(undefined, signals);
    attributesDefaults(undefined, attributes, signals);
    // posix_spawn returns the error number itself.
    const errno = spawnCall(path, pid, path, actions, attributes, [...args, null], [null]);
    if (errno !== 0) throw new KernelError('posix_spawn', errno, path);
    return pid.readInt32LE(0);
  } finally {
    actionsDestroy(undefined, actions);
    attributesDestroy(undefined, attributes);
  }
}

/** Creates a close-on-exec copy of `fd` with the lowest free number from `lowest` on. */
export function duplicateFrom(fd: number, lowest: number): number {
  return fcntlCall('F_DUPFD_CLOEXEC', fd, F_DUPFD_CLOEXEC, lowest);
}

/** Opens a pidfd. Throws ESRCH when there is no such process. */
export function openProcess(pid: number): number {
  return pidfdOpenCall(String(pid), pid, 0);
}

/** Sends a signal. Throws ESRCH when the process has ended. */
export function signalProcess(pidfd: number, signal: number): void {
  pidfdSendSignalCall(`signal ${signal}`, pidfd, signal, null, 0);
}

/** Blocks the calling thread until a process has ended or the time is over. Returns whether it has ended. */
export function awaitEnd(pidfd: number, timeoutMs: number): boolean {
  const polled = Buffer.alloc(8);
  polled.writeInt32LE(pidfd, 0);
  polled.writeInt16LE(POLLIN, 4);
  return pollCall('end of a process', polled, 1, timeoutMs) > 0;
}

/**
 * Copies another process's descriptor (pidfd_getfd(2)). Throws ESRCH when the process has ended, EBADF without the
 * descriptor.
 */
export function takeDescriptor(pidfd: number, number: number): number {
  try {
    return pidfdGetfdCall(`descriptor ${number}`, pidfd, number, 0);
  } catch (error) {
    // When an ending process has released its memory, the kernel allows access only to the machine's root.
    if (!hasErrno(error, 'EPERM') || !awaitEnd(pidfd, endingMs)) throw error;
    throw new KernelError('pidfd_getfd', constants.errno.ESRCH, `descriptor ${number}`);
  }
}

/** ID of the calling thread (gettid(2)). */
export function threadId(): number {
  return gettidCall(undefined);
}

/** Blocks the calling thread until a child has ended, and reaps it. */
export function waitForChild(pid: number): void {
  const status = Buffer.alloc(4);
  waitpidCall(String(pid), pid, status, 0);
}

/** Makes this process the reaper of orphaned descendants (prctl(2), PR_SET_CHILD_SUBREAPER). */
export function becomeSubreaper(): void {
  prctlCall('PR_SET_CHILD_SUBREAPER', PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

/**
 * Reaps a child and returns its exit status as a shell does: the code, or 128 + signal. Returns `undefined` while it
 * runs.
 */
export function collectExit(pid: number): number | undefined {
  const status = Buffer.alloc(4);
  if (waitpidCall(String(pid), pid, status, WNOHANG) !== pid) return undefined;
  const word = status.readInt32LE(0);
  return (word & 0x7f) === 0 ? (word >> 8) & 0xff : 128 + (word & 0x7f);
}

/** Reaps an ended child. Returns false while it runs. Throws ECHILD when it is no child of this process. */
export function reapChild(pid: number): boolean {
  const status = Buffer.alloc(4);
  return waitpidCall(String(pid), pid, status, WNOHANG) === pid;
}

/** Limits of open files; -1 means not limited. A process may raise soft up to hard itself. */
export interface FileLimit {
  soft: number;
  hard: number;
}

/** Calls prlimit(2) for another process. Throws ESRCH when it has ended, EPERM beyond fs.nr_open. */
export function setOpenFilesLimit(pid: number, { soft, hard }: FileLimit): void {
  const limit = Buffer.alloc(16);
  limit.writeBigUInt64LE(soft < 0 ? RLIM_INFINITY : BigInt(soft), 0);
  limit.writeBigUInt64LE(hard < 0 ? RLIM_INFINITY : BigInt(hard), 8);
  prlimitCall(`open files of ${pid}`, pid, RLIMIT_NOFILE, limit, null);
}

export function openFilesLimit(pid: number): FileLimit {
  const limit = Buffer.alloc(16);
  prlimitCall(`open files of ${pid}`, pid, RLIMIT_NOFILE, null, limit);
  const at = (offset: number) => {
    const value = limit.readBigUInt64LE(offset);
    return value === RLIM_INFINITY ? -1 : Number(value);
  };
  return { soft: at(0), hard: at(8) };
}
