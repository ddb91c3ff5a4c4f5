/** Defines a new network: its subnet, gateway and device overlap nothing on the machine. */
import { invalid } from '../errors.ts';
import { listAddresses, subnetOf } from './address.ts';
import type { DeviceNames } from './device-names.ts';
import { checkRange, checkSubnet, chooseGateway, chooseSubnet } from './ipam.ts';
import { contains, formatSubnet, parseAddress, parseSubnet, type Subnet } from './ipv4.ts';
import type { NetworkDefinition, Networks } from './networks.ts';
import { machineResolvers } from './resolvers.ts';
import { listRoutes } from './route.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const mtuOption = 'com.docker.network.driver.mtu';
/** Range of the MTU in bytes: every host accepts 68 (RFC 791), and veth accepts at most 65535. */
const mtuRange = { min: 68, max: 65535 };

export function defineNetwork(
  request: Parameters<Networks['define']>[0],
  machine: { netlink: Rtnetlink; names: DeviceNames; resolvConf: string | undefined },
): NetworkDefinition {
  const subnet =
    request.subnet === undefined
      ? parseSubnet(chooseSubnet(everythingInUse(request.taken, machine)))
      : requestedSubnet(request.subnet, request.taken, machine.netlink);
  if (request.ipRange !== undefined) checkRange(subnet, request.ipRange);
  return {
    id: request.id,
    name: request.name,
    bridge: machine.names.bridge(request.id, request.name),
    subnet: formatSubnet(subnet),
    ipRange: request.ipRange,
    gateway: chooseGateway(subnet, request.gateway),
    internal: request.internal,
    enableIpv6: request.enableIpv6,
    mtu: mtuOf(request.options),
    options: request.options,
  };
}

/**
 * Subnets in use. Routes cover interfaces and VPNs, but a name server behind the default route has no route of its
 * own.
 */
function everythingInUse(
  taken: readonly NetworkDefinition[],
  machine: { netlink: Rtnetlink; resolvConf: string | undefined },
): Subnet[] {
  const routes = listRoutes(machine.netlink)
    .map((route) => parseSubnet(route.destination))
    .filter((route) => route.prefixLength > 0);
  return [
    ...taken.map((network) => parseSubnet(network.subnet)),
    ...routes,
    ...listAddresses(machine.netlink).map((address) => parseSubnet(subnetOf(address))),
    ...machineResolvers(machine.resolvConf).map((server) => parseSubnet(`${server}/32`)),
  ];
}

/**
 * Checks a requested subnet. As with dockerd it may lie inside a wide route (a VPN's 10.0.0.0/8), but it may not
 * overlap another network or a subnet that the machine has an address in.
 */
function requestedSubnet(
  wanted: string,
  taken: readonly NetworkDefinition[],
  netlink: Rtnetlink,
): Subnet {
  const others = taken.map((network) => ({
    subnet: parseSubnet(network.subnet),
    by: `network ${network.name}`,
  }));
  const inside = parseSubnet(wanted);
  const own = listAddresses(netlink)
    .filter((address) => contains(inside, parseAddress(address.address)))
    .map((address) => ({
      subnet: parseSubnet(subnetOf(address)),
      by: `the machine (${address.address})`,
    }));
  return checkSubnet(wanted, [...others, ...own]);
}

function mtuOf(options: Record<string, string>): number | undefined {
  const text = options[mtuOption];
  if (text === undefined) return undefined;
  const mtu = Number(text);
  if (!Number.isInteger(mtu) || mtu < mtuRange.min || mtu > mtuRange.max)
    throw invalid(`${mtuOption}=${text} is not an MTU from ${mtuRange.min} to ${mtuRange.max}`);
  return mtu;
}
