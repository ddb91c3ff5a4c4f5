/**
 * The one door into libc. Every other file of `kernel/` declares its calls with {@link libcCall} or
 * {@link systemCall}; nothing outside `kernel/` imports koffi.
 *
 * All calls are synchronous and run on the calling thread, which is what namespaces need: a
 * namespace belongs to a thread (see namespaces(7)).
 */
import { constants } from 'node:os';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');

// Where one number has two names (EAGAIN and EWOULDBLOCK) the first wins, as in Node's own errors.
const errnoNames = new Map<number, string>(
  Object.entries(constants.errno)
    .map(([name, value]): [number, string] => [value, name])
    .reverse(),
);

/** A system call that failed: which, on what, and errno as number and name. */
export class KernelError extends Error {
  readonly call: string;
  readonly errno: number;
  /** errno's name, such as `ENOENT`; spelled as Node's own errors spell it. */
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

/** Whether `error` is a failed system call (ours or Node's) with one of the given errno names. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(nameOf(error));
}

/** Of some, EDQUOT among them, Node's own errors have only the number, below zero. */
function nameOf({ code, errno }: { code: unknown; errno?: unknown }): string {
  const name = typeof errno === 'number' ? errnoNames.get(-errno) : undefined;
  return name ?? String(code);
}

/** What a call may take: integers, NUL-free strings, memory, and NULL-terminated lists (`char **`). */
export type Argument =
  | number
  | bigint
  | string
  | Buffer
  | Uint8Array
  | null
  | readonly (string | null)[];

/** A declared call. `subject` names what it works on, for the error only. Throws KernelError. */
export type KernelCall = (subject: string | undefined, ...args: Argument[]) => number;

/**
 * Declares a libc function that returns an int (or long) and sets errno when it returns -1.
 * `parameters` are koffi types, such as `['int', 'str', 'void *']`.
 */
export function libcCall(name: string, parameters: string[], result = 'int'): KernelCall {
  const native = libc.func(name, result, parameters);
  return (subject, ...args) => checked(name, subject, native(...args));
}

/**
 * Like {@link libcCall}, for loops where a failed call is nothing special: it returns errno's negative
 * instead of throwing, as the kernel itself does.
 */
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
 * Declares a system call by number, for those that older C libraries do not wrap. Numbers from 424
 * on are the same on amd64 and arm64 (arch/x86/entry/syscalls, include/uapi/asm-generic/unistd.h).
 */
export function systemCall(name: string, number: number, parameters: string[]): KernelCall {
  const native = libc.func('syscall', 'long', ['long', ...parameters]);
  return (subject, ...args) => checked(name, subject, native(number, ...args));
}

/** A system call by number that returns errno's negative, as {@link unthrownCall} does. */
export function unthrownSystemCall(
  number: number,
  parameters: string[],
): (...args: Argument[]) => number {
  const call = unthrownCall('syscall', ['long', ...parameters], 'long');
  return (...args) => call(number, ...args);
}

function checked(call: string, subject: string | undefined, value: unknown): number {
  const result = Number(value);
  // errno is read in the very next call on this thread; nothing of ours runs in between.
  if (result === -1) throw new KernelError(call, koffi.errno(), subject);
  return result;
}

/** Where memory lies, for structures that point to it. The caller keeps it alive over the call. */
export function addressOf(memory: Buffer): bigint {
  return BigInt(koffi.address(memory));
}

/** Another shared library, for the files of `kernel/` that wrap one (libseccomp). */
export function loadLibrary(name: string): ReturnType<typeof koffi.load> {
  return koffi.load(name);
}
