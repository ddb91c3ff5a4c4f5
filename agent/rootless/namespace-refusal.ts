/** Why the kernel gives an ordinary user no namespaces, and what root does about it. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

export interface NamespaceRefusal {
  errno: number;
  /** What asked for them. */
  programPath: string;
  /** Where the kernel's settings are (proc_sys(5)). */
  settings?: string;
}

/** A cause and a next step. */
export function refusalAdvice({
  errno,
  programPath,
  settings = '/proc/sys',
}: NamespaceRefusal): string {
  // The one refusal that has a number of its own; the others all are EPERM or EACCES.
  if (errno === constants.errno.ENOSPC)
    return 'no more are allowed; as root, run: sysctl -w user.max_user_namespaces=15000';
  if (settingIn(settings, 'kernel/unprivileged_userns_clone') === '0')
    return 'users may have none here; as root, run: sysctl -w kernel.unprivileged_userns_clone=1';
  // Ubuntu's, since 23.10: either there is none, or one in which nothing may be done.
  if (settingIn(settings, 'kernel/apparmor_restrict_unprivileged_userns') === '1')
    return `AppArmor gives them only to programs that have a profile; as root, run: ${installProfile(programPath)}`;
  return 'the kernel keeps users from it; as root, run: sysctl -w user.max_user_namespaces=15000, and see what security module is at work (/sys/kernel/security/lsm)';
}

/** Undefined where this kernel has no such setting. */
function settingIn(settings: string, name: string): string | undefined {
  try {
    return readFileSync(join(settings, name), 'utf8').trim();
  } catch {
    // Not there, or not ours to read: then nothing is known of it.
    return undefined;
  }
}

const profileFile = '/etc/apparmor.d/corten';

/**
 * A profile that confines nothing and allows this one thing, to this one program: what Ubuntu itself has for
 * browsers and for other engines (apparmor.d(5), "userns" rules; they take version 4.0 of the language).
 */
function installProfile(programPath: string): string {
  const lines = [
    'abi <abi/4.0>,',
    `profile corten "${programPath.replace(/[\\"*?[\]{}^]/g, '\\$&')}" flags=(unconfined) {`,
    '  userns,',
    '}',
  ];
  const quoted = lines.map((line) => `'${line.replaceAll("'", "'\\''")}'`).join(' ');
  return `printf '%s\\n' ${quoted} >${profileFile} && apparmor_parser -r ${profileFile}`;
}
