/** Enters a running container's network namespace, to connect or disconnect it while it runs. */
import { closeSync } from 'node:fs';
import { NamespaceFlag, openNamespace, setns } from '../../kernel/namespaces.ts';
import { NetlinkFamily, openNetlink } from '../../kernel/netlink.ts';
import { socketsOf } from '../../kernel/network-visit.ts';
import { inUserNamespace } from '../../kernel/user-namespaces.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';

export interface EnteredNetwork {
  networkFd: number;
  netlinkFd: number;
  close(): void;
}

/** Opens the namespace and an rtnetlink socket inside it. */
export async function enterNetwork(process: ProcessHandle): Promise<EnteredNetwork> {
  const networkFd = openNamespace(`/proc/${process.pid}/ns/net`);
  try {
    process.signal(0);
    const netlinkFd = inUserNamespace() ? await sendForSocket(networkFd) : openThere(networkFd);
    const fds = [networkFd, netlinkFd];
    return {
      networkFd,
      netlinkFd,
      close: () => {
        for (const fd of fds) closeSync(fd);
      },
    };
  } catch (error) {
    closeSync(networkFd);
    throw error;
  }
}

/**
 * The calling thread is in the namespace only during one synchronous socket(2), so nothing else of
 * the agent runs there.
 */
function openThere(networkFd: number): number {
  const own = openNamespace('/proc/thread-self/ns/net');
  try {
    setns(networkFd, NamespaceFlag.network, 'network of a container');
    try {
      return openNetlink(NetlinkFamily.route);
    } finally {
      setns(own, NamespaceFlag.network, 'own network');
    }
  } finally {
    closeSync(own);
  }
}

/** Without root the thread could not return to its own namespace. */
async function sendForSocket(networkFd: number): Promise<number> {
  const [fd = -1] = await socketsOf(networkFd, [{ kind: 'netlink', family: NetlinkFamily.route }]);
  return fd;
}
