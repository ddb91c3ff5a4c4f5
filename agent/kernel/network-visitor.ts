/** The thread that creates sockets in one namespace: see network-visit.ts. */
import { closeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { connectTcp, listenTo } from './internet-socket.ts';
import { KernelError } from './libc.ts';
import { NamespaceFlag, setns } from './namespaces.ts';
import { openNetlink } from './netlink.ts';
import type { Visit, VisitReply, WantedSocket } from './network-visit.ts';

function visit({ namespaceFd, wanted }: Visit): VisitReply {
  const fds: number[] = [];
  try {
    setns(namespaceFd, NamespaceFlag.network, 'network');
    for (const one of wanted) fds.push(open(one));
    return { fds };
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    if (!(error instanceof KernelError)) return { failure: String(error) };
    const { call, errno, subject } = error;
    return { failure: { call, errno, subject } };
  }
}

function open(wanted: WantedSocket): number {
  if (wanted.kind === 'netlink') return openNetlink(wanted.family);
  if (wanted.kind === 'connect') return connectTcp(wanted.address, wanted.port);
  return listenTo(wanted.protocol, wanted.address, wanted.port);
}

parentPort?.postMessage(visit(workerData as Visit));
