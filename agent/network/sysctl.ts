/** Network settings of the machine that containers need (ip-sysctl in the kernel's documentation). */
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { EngineNetwork } from './engine-network.ts';

const forwarding = '/proc/sys/net/ipv4/ip_forward';

/** Switches routing on; true when this call did it, so that the machine did not route before. */
export function enableForwarding(netns: EngineNetwork): boolean {
  if (netns.readSetting(forwarding).trim() === '1') return false;
  try {
    netns.writeSetting(forwarding, '1');
  } catch (error) {
    throw new CortenError(
      'unavailable',
      'containers need the machine to route: set it with sysctl -w net.ipv4.ip_forward=1',
      { cause: error },
    );
  }
  return true;
}

/** Lets 127.0.0.1 of the machine reach containers through this bridge; ruleset.ts bars the way back. */
export function allowLoopbackThrough(netns: EngineNetwork, bridge: string): void {
  netns.writeSetting(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, '1');
}

/**
 * Without IPv6 in the network the machine must not listen to it there: a container could otherwise
 * announce itself as the machine's router (CVE-2020-13401).
 */
export function disableIpv6(netns: EngineNetwork, bridge: string): void {
  try {
    netns.writeSetting(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, '1');
  } catch (error) {
    // A kernel without IPv6 has nothing to switch off.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/** With IPv6: still no router announcements from containers. */
export function ignoreRouterAnnouncements(netns: EngineNetwork, bridge: string): void {
  try {
    netns.writeSetting(`/proc/sys/net/ipv6/conf/${bridge}/accept_ra`, '0');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
