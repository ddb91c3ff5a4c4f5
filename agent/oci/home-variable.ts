/** HOME for a process that brings none, or an empty one: callers count on it since runc and crun fill it in. */
import type { OciProcess } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { openDirectory, readTextInRoot, withFd } from '../kernel/files.ts';
import { parsePasswd } from '../runtime/passwd.ts';

/** `root` is the container's root directory as it is seen from here. */
export function withHome(process: OciProcess, root: string): OciProcess {
  if (process.env.some((entry) => /^HOME=./.test(entry))) return process;
  const env = process.env.filter((entry) => entry !== 'HOME=');
  return { ...process, env: [...env, `HOME=${homeOf(process.user.uid, root)}`] };
}

/** `/` for a user that the container does not know. */
function homeOf(uid: number, root: string): string {
  const entry = parsePasswd(readPasswd(root)).find((one) => one.uid === uid);
  return entry?.home || '/';
}

function readPasswd(root: string): string {
  try {
    return withFd(openDirectory(root), (fd) => readTextInRoot(fd, 'etc/passwd')) ?? '';
  } catch (error) {
    // Not a file, or far too long: it knows nobody.
    if (error instanceof CortenError) return '';
    throw error;
  }
}
