/** Finds why the kernel refuses namespaces to an ordinary user, and what root can do about it. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

export interface NamespaceRefusal {
  errno: number;
  /** Program that needs them. */
  programPath: string;
  /** Directory of the kernel's settings (proc_sys(5)). */
  settings?: string;
}

/** Returns the cause and the next step. */
export function refusalAdvice({
  errno,
  programPath,
  settings = '/proc/sys',
}: NamespaceRefusal): string {
  // Only this refusal has an errno of its own; the others are EPERM or EACCES.
  if (errno === constants.errno.ENOSPC)
    return 'no more are allowed; as root, run: sysctl -w user.max_user_namespaces=15000';
  if (settingIn(settings, 'kernel/unprivileged_userns_clone') === '0')
    return 'users may have none here; as root, run: sysctl -w kernel.unprivileged_userns_clone=1';
  // Ubuntu restricts user namespaces since 23.10: either none is created, or one without capabilities.
  if (settingIn(settings, 'kernel/apparmor_restrict_unprivileged_userns') === '1')
    return `AppArmor gives them only to programs that have a profile; as root, run: ${installProfile(programPath)}`;
  return 'the kernel keeps users from it; as root, run: sysctl -w user.max_user_namespaces=15000, and see what security module is at work (/sys/kernel/security/lsm)';
}

/** Value of a setting; `undefined` when the kernel has none of that name. */
function settingIn(settings: string, name: string): string | undefined {
  try {
    return readFileSync(join(settings, name), 'utf8').trim();
  } catch {
    // The setting is absent or unreadable.
    return undefined;
  }
}

const profileFile = '/etc/apparmor.d/corten';

/**
 * Commands that install a profile which confines nothing and allows this program user namespaces, as Ubuntu's own
 * profiles do for browsers and other engines (apparmor.d(5), "userns" rules; they need version 4.0 of the language).
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
