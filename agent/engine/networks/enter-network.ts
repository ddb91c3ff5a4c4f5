/** A running container's network from outside, for what joins or leaves while it runs. */
import { closeSync } from 'node:fs';
import { NamespaceFlag, openNamespace, setns } from '../../kernel/namespaces.ts';
import { NetlinkFamily, openNetlink } from '../../kernel/netlink.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';

export interface EnteredNetwork {
  networkFd: number;
  netlinkFd: number;
  close(): void;
}

/**
 * Opens the namespace and an rtnetlink socket inside it. The calling thread visits the namespace for
 * the length of one socket(2), synchronously, so that nothing else of it runs there.
 */
export function enterNetwork(process: ProcessHandle): EnteredNetwork {
  const own = openNamespace('/proc/thread-self/ns/net');
  let networkFd: number | undefined;
  try {
    networkFd = openNamespace(`/proc/${process.pid}/ns/net`);
    process.signal(0);
    setns(networkFd, NamespaceFlag.network, `network of process ${process.pid}`);
    try {
      const netlinkFd = openNetlink(NetlinkFamily.route);
      const fds = [networkFd, netlinkFd];
      return {
        networkFd,
        netlinkFd,
        close: () => {
          for (const fd of fds) closeSync(fd);
        },
      };
    } finally {
      setns(own, NamespaceFlag.network, 'own network');
    }
  } catch (error) {
    if (networkFd !== undefined) closeSync(networkFd);
    throw error;
  } finally {
    closeSync(own);
  }
}
