/**
 * Finds the process that has a port of this Linux host, as ss(8) does, through proc(5). The agent and the
 * app name it in errors; reading every process's descriptors is too slow for more.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const stateListen = '0A';

/** Name and PID such as `nginx (pid 812)`; `undefined` when the kernel does not tell. */
export function portOwner(protocol: 'tcp' | 'udp', port: number): string | undefined {
  const inode = socketInode(protocol, port);
  return inode === undefined ? undefined : processWith(`socket:[${inode}]`);
}

/** proc_pid_net(5): columns are slot, local address:port in hex, remote, state, …, inode. */
function socketInode(protocol: 'tcp' | 'udp', port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of [protocol, `${protocol}6`]) {
    for (const line of readOrEmpty(`/proc/thread-self/net/${table}`).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (!columns[1]?.endsWith(suffix)) continue;
      if (protocol === 'tcp' && columns[3] !== stateListen) continue;
      return columns[9];
    }
  }
  return undefined;
}

function processWith(socket: string): string | undefined {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!descriptorsOf(pid).includes(socket)) continue;
    return `${readOrEmpty(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
  }
  return undefined;
}

function descriptorsOf(pid: string): string[] {
  const directory = `/proc/${pid}/fd`;
  return listOrEmpty(directory).map((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`);
    } catch {
      // The descriptor was closed meanwhile, as is the one that lists the directory.
      return '';
    }
  });
}

function listOrEmpty(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // The process has ended meanwhile.
    return [];
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Without IPv6 there is no tcp6, and a process may have ended since the listing.
    return '';
  }
}
