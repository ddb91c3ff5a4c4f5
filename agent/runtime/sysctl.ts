/** Sysctls of a container, limited to those of its own namespaces. */
import type { OciSpec } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import { writeProcfs } from '../kernel/procfs.ts';
import { asEffectiveUser } from '../kernel/user-namespaces.ts';
import { isNew } from './spec-namespaces.ts';

const ipcParameters = new Set([
  'kernel/msgmax',
  'kernel/msgmnb',
  'kernel/msgmni',
  'kernel/sem',
  'kernel/shmall',
  'kernel/shmmax',
  'kernel/shmmni',
  'kernel/shm_rmid_forced',
]);

/** Throws invalid for a sysctl that would affect the host or another container. */
export function checkSysctls(spec: OciSpec): void {
  for (const name of Object.keys(spec.linux.sysctl ?? {})) {
    const path = sysctlPath(name);
    const namespace = namespaceOf(path);
    if (namespace === undefined || !isNew(spec, namespace))
      throw invalid(
        `sysctl "${name}" is not in a separate kernel namespace; it would change the host`,
      );
  }
}

/**
 * Writes the sysctls on a thread inside the container's namespaces. Those of an ipc namespace can
 * be written only by its root, whatever the capabilities; `owner` is that root's host id.
 */
export function writeSysctls(
  procFd: number,
  parameters: Readonly<Record<string, string>> = {},
  owner?: number,
): void {
  for (const [name, value] of Object.entries(parameters)) {
    const path = sysctlPath(name);
    const write = () => writeProcfs(procFd, `sys/${path}`, value);
    try {
      if (owner !== undefined && namespaceOf(path) === 'ipc') asEffectiveUser(owner, write);
      else write();
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'EINVAL', 'ERANGE'))
        throw invalid(
          `sysctl "${name}=${value}" is not known to or not accepted by this kernel`,
          error,
        );
      throw error;
    }
  }
}

function namespaceOf(path: string): 'ipc' | 'network' | 'uts' | undefined {
  if (path.startsWith('net/')) return 'network';
  if (path.startsWith('fs/mqueue/') || ipcParameters.has(path)) return 'ipc';
  return path === 'kernel/domainname' ? 'uts' : undefined;
}

/**
 * Parses sysctl(8)'s two notations. The first separator decides, and the other sign then belongs to
 * a name (`net.ipv4.conf.eth0/100.forwarding`).
 */
export function sysctlPath(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  const path = first === '/' ? name : name.replace(/[./]/g, (sign) => (sign === '.' ? '/' : '.'));
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw invalid(`invalid sysctl name "${name}"`);
  return path;
}
