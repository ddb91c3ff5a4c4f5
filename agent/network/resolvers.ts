/** Reads the machine's name servers (resolv.conf(5)). */
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { hasErrno } from '../kernel/libc.ts';

/** File in which systemd-resolved lists its upstream servers; its stub is only on the loopback. */
const resolvedUpstreams = '/run/systemd/resolve/resolv.conf';

/** Every IPv4 name server that the machine itself uses, including those on the loopback. */
export function machineResolvers(path = '/etc/resolv.conf'): string[] {
  return readServers(path);
}

/** Name servers that a container can reach; empty when the machine only uses a stub on its loopback. */
export function reachableResolvers(path = '/etc/resolv.conf'): string[] {
  const servers = readServers(path).filter((server) => !server.startsWith('127.'));
  if (servers.length > 0) return servers;
  return readServers(resolvedUpstreams).filter((server) => !server.startsWith('127.'));
}

function readServers(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter(isIPv4);
}
