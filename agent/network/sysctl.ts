/** Sets network settings that containers need (Documentation/networking/ip-sysctl.rst). */
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { EngineNetwork } from './engine-network.ts';

const forwarding = '/proc/sys/net/ipv4/ip_forward';

/**
 * Switches IP forwarding on. Returns true when it was off before. Throws unavailable when the machine does not allow
 * it.
 */
export function enableForwarding(netns: EngineNetwork): boolean {
  if (netns.readSetting(forwarding).trim() === '1') return false;
  try {
    netns.writeSetting(forwarding, '1');
  } catch (error) {
    throw new CortenError(
      'unavailable',
      'containers need IP forwarding: switch it on with sysctl -w net.ipv4.ip_forward=1',
      { cause: error },
    );
  }
  return true;
}

/** Lets 127.0.0.1 of the machine reach containers through this bridge; ruleset.ts blocks the other direction. */
export function allowLoopbackThrough(netns: EngineNetwork, bridge: string): void {
  netns.writeSetting(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, '1');
}

/**
 * In a network without IPv6 the machine must not accept IPv6 on the bridge: a container could otherwise announce
 * itself as the machine's router (CVE-2020-13401).
 */
export function disableIpv6(netns: EngineNetwork, bridge: string): void {
  try {
    netns.writeSetting(`/proc/sys/net/ipv6/conf/${bridge}/disable_ipv6`, '1');
  } catch (error) {
    // A kernel without IPv6 lacks the setting.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}

/** Ignores router advertisements of containers, for networks with IPv6. */
export function ignoreRouterAnnouncements(netns: EngineNetwork, bridge: string): void {
  try {
    netns.writeSetting(`/proc/sys/net/ipv6/conf/${bridge}/accept_ra`, '0');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
