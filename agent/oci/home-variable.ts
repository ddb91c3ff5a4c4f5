/** Sets HOME when the process has none or an empty one, as runc and crun do. */
import type { OciProcess } from '../contract/oci-runtime.ts';
import { CortenError } from '../errors.ts';
import { openDirectory, readTextInRoot, withFd } from '../kernel/files.ts';
import { parsePasswd } from '../runtime/passwd.ts';

/** `root` is the path of the container's root directory for this process. */
export function withHome(process: OciProcess, root: string): OciProcess {
  if (process.env.some((entry) => /^HOME=./.test(entry))) return process;
  const env = process.env.filter((entry) => entry !== 'HOME=');
  return { ...process, env: [...env, `HOME=${homeOf(process.user.uid, root)}`] };
}

/** Home directory of a user; `/` for one that the container does not know. */
function homeOf(uid: number, root: string): string {
  const entry = parsePasswd(readPasswd(root)).find((one) => one.uid === uid);
  return entry?.home || '/';
}

function readPasswd(root: string): string {
  try {
    return withFd(openDirectory(root), (fd) => readTextInRoot(fd, 'etc/passwd')) ?? '';
  } catch (error) {
    // A passwd that is no file, or too long, defines no users.
    if (error instanceof CortenError) return '';
    throw error;
  }
}
