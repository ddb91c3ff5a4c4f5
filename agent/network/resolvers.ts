/** The machine's own name servers (resolv.conf(5)). */
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { hasErrno } from '../kernel/libc.ts';

/** systemd-resolved lists its real upstream servers here; its stub is only on the loopback. */
const resolvedUpstreams = '/run/systemd/resolve/resolv.conf';

/** Every IPv4 server, those on the loopback included: what the machine itself would ask. */
export function machineResolvers(path = '/etc/resolv.conf'): string[] {
  return readServers(path);
}

/** Those that a container can reach; empty when the machine only asks a stub on its loopback. */
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
