/** Reads from the machine what an agent may do there. */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { hasSystemd } from '../kernel/systemd.ts';
import type { KeptNamespaces } from './enter.ts';

export function abilityFacts(kept: KeptNamespaces | undefined) {
  return {
    root: kept === undefined,
    disconnected: kept?.disconnected,
    lowestPort: lowestPort(),
    kernelLog: canRead('/dev/kmsg'),
    lingers: kept === undefined ? undefined : lingers(kept.userName),
  };
}

function lowestPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    // A kernel without IPv4 publishes no port.
    return 0;
  }
}

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether the user's processes go on after the last logout, for which logind(8) has a file per user. */
function lingers(user: string): boolean | undefined {
  if (!hasSystemd()) return undefined;
  return existsSync(`/var/lib/systemd/linger/${user}`);
}
