/**
 * The only access to libc. Every other file of `kernel/` declares its calls with {@link libcCall} or {@link
 * systemCall}; nothing outside `kernel/` imports koffi.
 *
 * All calls are synchronous and run on the calling thread, which namespaces require, because a namespace belongs to a
 * thread (namespaces(7)).
 */
import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');

// When two names share a number (EAGAIN and EWOULDBLOCK) the first wins, as in Node's own errors.
const errnoNames = new Map<number, string>(
  Object.entries(constants.errno)
    .map(([name, value]): [number, string] => [value, name])
    .reverse(),
);

/** A failed system call, with its subject and errno as number and name. */
export class KernelError extends Error {
  readonly call: string;
  readonly errno: number;
  /** Name of errno such as `ENOENT`, spelled as in Node's errors. */
  readonly code: string;
  readonly subject: string | undefined;

  constructor(call: string, errno: number, subject?: string) {
    const code = errnoNames.get(errno) ?? `errno ${errno}`;
    super(`${call}${subject === undefined ? '' : ` ${subject}`}: ${code}`);
    this.name = 'KernelError';
    this.call = call;
    this.errno = errno;
    this.code = code;
    this.subject = subject;
  }
}

/** Whether `error` is a KernelError or an error of Node with one of these names of errno. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(nameOf(error));
}

/** Name of errno: for some, such as EDQUOT, Node's errors have only the negative number. */
function nameOf({ code, errno }: { code: unknown; errno?: unknown }): string {
  const name = typeof errno === 'number' ? errnoNames.get(-errno) : undefined;
  return name ?? String(code);
}

/** Argument of a call: an integer, a string without NUL, memory, or a NULL-terminated list (`char **`). */
export type Argument =
  | number
  | bigint
  | string
  | Buffer
  | Uint8Array
  | null
  | readonly (string | null)[];

/** A declared call. `subject` appears only in the error. Throws KernelError. */
export type KernelCall = (subject: string | undefined, ...args: Argument[]) => number;

/**
 * Declares a libc function that returns an int (or long) and sets errno when it returns -1.
 * `parameters` are koffi types, such as `['int', 'str', 'void *']`.
 */
export function libcCall(name: string, parameters: string[], result = 'int'): KernelCall {
  const native = libc.func(name, result, parameters);
  return (subject, ...args) => checked(name, subject, native(...args));
}

/** Like {@link libcCall}, for loops in which failures are common: it returns the negative errno instead of throwing. */
export function unthrownCall(
  name: string,
  parameters: string[],
  result = 'int',
): (...args: Argument[]) => number {
  const native = libc.func(name, result, parameters);
  return (...args) => {
    const value = Number(native(...args));
    return value === -1 ? -koffi.errno() : value;
  };
}

/**
 * Declares a system call by number, for calls that older C libraries do not wrap. Numbers from 424 on are the same on
 * amd64 and arm64 (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h).
 */
export function systemCall(name: string, number: number, parameters: string[]): KernelCall {
  const native = libc.func('syscall', 'long', ['long', ...parameters]);
  return (subject, ...args) => checked(name, subject, native(number, ...args));
}

/** Declares a system call by number that returns the negative errno, as {@link unthrownCall} does. */
export function unthrownSystemCall(
  number: number,
  parameters: string[],
): (...args: Argument[]) => number {
  const call = unthrownCall('syscall', ['long', ...parameters], 'long');
  return (...args) => call(number, ...args);
}

function checked(call: string, subject: string | undefined, value: unknown): number {
  const result = Number(value);
  // errno must be read by the next call on this thread, with no other call in between.
  if (result === -1) throw new KernelError(call, koffi.errno(), subject);
  return result;
}

/** Address of memory, for structures that point to it. The caller keeps the memory alive during the call. */
export function addressOf(memory: Buffer): bigint {
  return BigInt(koffi.address(memory));
}

/** Loads another shared library, for files of `kernel/` that wrap one (libseccomp). */
export function loadLibrary(name: string): ReturnType<typeof koffi.load> {
  return koffi.load(name);
}
