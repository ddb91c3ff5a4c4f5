/**
 * Sockets of another network namespace. A socket belongs to the namespace of the thread that created it, and without
 * root a thread that leaves the machine's own namespace cannot return (setns(2) needs privileges in the user
 * namespace that owns it). Therefore a thread is used once: it creates the sockets and ends.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { KernelError } from './libc.ts';

export type WantedSocket =
  | { kind: 'netlink'; family: number }
  | { kind: 'listen'; protocol: 'tcp' | 'udp'; address: string; port: number }
  | { kind: 'connect'; address: string; port: number };

export interface Visit {
  namespaceFd: number;
  wanted: readonly WantedSocket[];
}

export type VisitReply =
  | { fds: number[] }
  | { failure: { call: string; errno: number; subject: string | undefined } | string };

/** Descriptors in the order of `wanted`, which the caller closes. Throws KernelError, and then none is left open. */
export async function socketsOf(
  namespaceFd: number,
  wanted: readonly WantedSocket[],
): Promise<number[]> {
  const worker = new Worker(
    new URL(`./network-visitor${extname(import.meta.filename)}`, import.meta.url),
    {
      name: 'network-visitor',
      workerData: { namespaceFd, wanted } satisfies Visit,
      // The descriptors that the thread opened stay open for this one.
      trackUnmanagedFds: false,
    },
  );
  const reply = await new Promise<VisitReply>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that visits a network ended early')));
  });
  if ('fds' in reply) return reply.fds;
  const { failure } = reply;
  if (typeof failure === 'string') throw new Error(failure);
  throw new KernelError(failure.call, failure.errno, failure.subject);
}
