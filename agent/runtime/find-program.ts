/**
 * Checks that a program exists before a process waits to execute it. Callers of OCI runtimes expect
 * `create`, not `start`, to report a missing command.
 */
import { constants, fstatSync } from 'node:fs';
import { constants as systemConstants } from 'node:os';
import { posix } from 'node:path';
import type { OciProcess } from '../contract/oci-runtime.ts';
import { O_PATH, openInRoot, withFd } from '../kernel/files.ts';
import { hasErrno } from '../kernel/libc.ts';
import { execFailure } from './start-failure.ts';

const { ENOENT, EACCES } = systemConstants.errno;
/** The default of execvp(3) when the environment has no PATH. */
const defaultPath = '/usr/local/bin:/bin:/usr/bin';

/**
 * Throws StartError. A program that passes can still fail, because execve checks the rights of the
 * process.
 */
export function checkProgram(rootFd: number, { args, env, cwd }: OciProcess): void {
  const [program = ''] = args;
  // The container's /proc is mounted later, by its own process.
  const found = placesOf(program, env, cwd).map((path) =>
    path.startsWith('/proc/') ? 'program' : kindOf(rootFd, path),
  );
  if (found.includes('program')) return;
  throw execFailure(program, found.includes('other') ? EACCES : ENOENT);
}

function placesOf(program: string, env: readonly string[], cwd: string): string[] {
  if (program.includes('/')) return [posix.resolve(cwd, program)];
  // The last PATH in the environment counts.
  const path = env.findLast((pair) => pair.startsWith('PATH='))?.slice('PATH='.length);
  return (path ?? defaultPath).split(':').map((folder) => posix.resolve(cwd, folder, program));
}

function kindOf(rootFd: number, path: string): 'program' | 'other' | 'nothing' {
  try {
    const { mode } = withFd(openInRoot(rootFd, path, O_PATH), (fd) => fstatSync(fd));
    const isProgram = (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
    return isProgram ? 'program' : 'other';
  } catch (error) {
    // It is a link into /proc, or another case that only execve can decide.
    if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) return 'program';
    return 'nothing';
  }
}
