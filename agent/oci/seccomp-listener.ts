/** Finds the agent that answers a container's SCMP_ACT_NOTIFY (config-linux.md, "The Container Process State"). */
import type { OciSeccomp } from '../contract/oci-runtime.ts';
import { invalid } from '../errors.ts';
import { sendDescriptor } from '../kernel/unix-socket.ts';
import { ociVersion } from '../runtime/default-spec.ts';
import type { TakeListener } from '../runtime/detached.ts';
import { notifies } from '../runtime/seccomp.ts';
import type { Container, Status } from './container.ts';

/** Returns `undefined` without such a rule. Throws invalid when there is no listenerPath. */
export function listenerOf(
  seccomp: OciSeccomp | undefined,
  container: Container,
  status: () => Status,
): TakeListener | undefined {
  if (seccomp === undefined || !notifies(seccomp)) return undefined;
  const { listenerPath, listenerMetadata: metadata } = seccomp;
  if (!listenerPath) throw invalid('linux.seccomp has SCMP_ACT_NOTIFY and no listenerPath');
  return (pid, listenerFd) => {
    const { process } = container.record;
    const state = container.state(status(), process?.pid ?? pid);
    const text = JSON.stringify({ ociVersion, fds: ['seccompFd'], pid, metadata, state });
    try {
      sendDescriptor(listenerPath, listenerFd, text);
    } catch (error) {
      throw invalid(
        `the seccomp listener cannot be sent to linux.seccomp.listenerPath ${listenerPath}`,
        error,
      );
    }
  };
}
