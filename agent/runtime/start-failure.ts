/** Turns a failed step and its errno from the shim into a message and a shell's exit code. */
import { constants } from 'node:os';
import { CortenError } from '../errors.ts';
import { inUserNamespace } from '../kernel/user-namespaces.ts';
import type { ShimReport } from './alive-watch.ts';
import type { Step } from './plan.ts';
import { StartError } from './start-error.ts';

type Failure = Extract<ShimReport, { kind: 'failed' }>;

/** strerror(3)'s words, which the docker CLI looks for in the message. */
const words: Record<number, string> = {
  [constants.errno.ENOENT]: 'no such file or directory',
  [constants.errno.EACCES]: 'permission denied',
  [constants.errno.EPERM]: 'operation not permitted',
  [constants.errno.ENOEXEC]: 'exec format error',
  [constants.errno.EISDIR]: 'is a directory',
  [constants.errno.ENOTDIR]: 'not a directory',
  [constants.errno.ELOOP]: 'too many levels of symbolic links',
  [constants.errno.E2BIG]: 'argument list too long',
  [constants.errno.EINVAL]: 'invalid argument',
  [constants.errno.ENOMEM]: 'cannot allocate memory',
  [constants.errno.EAGAIN]: 'resource temporarily unavailable',
  [constants.errno.EBUSY]: 'device or resource busy',
  [constants.errno.ENOSPC]: 'no space left on device',
  [constants.errno.ETXTBSY]: 'text file busy',
};

export function startFailure(steps: readonly Step[], failure: Failure): CortenError {
  const step = steps[failure.step - 1];
  const cause = errnoWords(failure.errno);
  if (step === undefined)
    return new CortenError(
      'internal',
      `the container's parent process could not start it: ${cause}`,
    );
  if (step.do === 'exec') return execFailure(step.args[0] ?? '', failure.errno);
  if (step.do === 'chdir')
    return new StartError(
      chdirCode(failure.errno),
      `chdir to cwd ("${step.path}") set in config.json failed: ${cause}`,
    );
  return new StartError(
    128,
    `unable to start container process: ${describe(step)}: ${cause}${advice(step, failure.errno)}`,
  );
}

/** Explains why only the host's root may do this. */
function advice({ do: what }: Step, errno: number): string {
  if (errno !== constants.errno.EPERM && errno !== constants.errno.EACCES) return '';
  if (!inUserNamespace() || (what !== 'rlimit' && what !== 'procWrite')) return '';
  return what === 'rlimit'
    ? "; without root no limit can be raised above the agent's own (ulimit -Hn tells that of open files)"
    : "; without root the score cannot be lowered below the agent's own";
}

/** Callers of OCI runtimes look for these words. */
export function execFailure(command: string, errno: number): StartError {
  const missing = errno === constants.errno.ENOENT;
  const prefix = 'unable to start container process: exec:';
  if (missing && !command.includes('/'))
    return new StartError(127, `${prefix} "${command}": executable file not found in $PATH`);
  const code = missing || errno === constants.errno.ENOTDIR ? 127 : 126;
  return new StartError(code, `${prefix} "${command}": ${errnoWords(errno)}`);
}

function chdirCode(errno: number): 126 | 127 {
  return errno === constants.errno.ENOENT || errno === constants.errno.ENOTDIR ? 127 : 126;
}

function errnoWords(errno: number): string {
  return words[errno] ?? `errno ${errno}`;
}

/** A description of the step for the message. */
function describe(step: Step): string {
  switch (step.do) {
    case 'write':
      return 'joining the control group';
    case 'procWrite':
      return `writing "${step.text}" to ${step.path}`;
    case 'mask':
    case 'readonly':
      return `making ${step.path} ${step.do === 'mask' ? 'inaccessible' : 'read-only'}`;
    case 'mountProc':
    case 'attach':
      return `mounting ${step.path}`;
    case 'rlimit':
      return `setting ${step.name} to ${step.soft}:${step.hard}`;
    case 'ids':
      return `becoming user ${step.uid} and group ${step.gid}`;
    case 'user':
      return 'entering the user namespace';
    case 'time':
      return 'making the time namespace';
    case 'seccomp':
      return 'loading the seccomp filter';
    default:
      return `${step.do} failed`;
  }
}
