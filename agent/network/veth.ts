/**
 * Veth pairs (veth(4)): one end is a port of the bridge, the other is born inside the container's
 * namespace under its final name, so that one request does it all and nothing is ever moved.
 */
import { addAddress } from './address.ts';
import {
  findLink,
  IFF_UP,
  LinkAttribute,
  linkHeader,
  linkKind,
  loopbackIndex,
  macAttribute,
  mtuAttribute,
  RTM_NEWLINK,
  setLinkUp,
} from './link.ts';
import { Flag, nested, text, uint8, uint32 } from './netlink-message.ts';
import { addDefaultRoute } from './route.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const AF_BRIDGE = 7;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const RTM_SETLINK = 19;

export interface VethPair {
  hostName: string;
  /** Index of the bridge that gets the host's end. */
  bridgeIndex: number;
  insideName: string;
  macAddress: string;
  mtu: number;
}

/** Makes the pair: host end in the bridge, inside end in the namespace of `networkFd`. */
export function makeVethPair(netlink: Rtnetlink, pair: VethPair, networkFd: number): void {
  const peer = Buffer.concat([
    // Not up yet: the kernel configures the peer before the two are joined, and then up is ENOTCONN.
    linkHeader(0),
    text(LinkAttribute.name, pair.insideName),
    macAttribute(pair.macAddress),
    mtuAttribute(pair.mtu),
    uint32(LinkAttribute.netnsFd, networkFd),
  ]);
  netlink.execute({
    type: RTM_NEWLINK,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([
      linkHeader(0, IFF_UP, IFF_UP),
      text(LinkAttribute.name, pair.hostName),
      mtuAttribute(pair.mtu),
      uint32(LinkAttribute.master, pair.bridgeIndex),
      linkKind('veth', nested(VETH_INFO_PEER, peer)),
    ]),
    verb: 'make veth pair',
    subject: pair.hostName,
  });
}

/**
 * Hairpin: frames may leave by the port they came in. Where the kernel shows bridged frames to
 * netfilter (net.bridge.bridge-nf-call-iptables), a container that calls its own published port is
 * translated within the bridge, and its packet must come back by the same port (measured).
 * Isolated: no traffic between this port and others that are isolated too (`enable_icc=false`).
 */
export function setPortModes(
  netlink: Rtnetlink,
  hostName: string,
  { isolated }: { isolated: boolean },
): void {
  const index = findLink(netlink, hostName)?.index ?? 0;
  netlink.execute({
    type: RTM_SETLINK,
    body: Buffer.concat([
      linkHeader(index, 0, 0, AF_BRIDGE),
      nested(
        LinkAttribute.protinfo,
        uint8(IFLA_BRPORT_MODE, 1),
        uint8(IFLA_BRPORT_ISOLATED, isolated ? 1 : 0),
      ),
    ]),
    verb: 'set the modes of bridge port',
    subject: hostName,
  });
}

/** Puts a pair's host end into a bridge again. */
export function joinBridge(
  netlink: Rtnetlink,
  veth: { index: number; name: string },
  bridgeIndex: number,
): void {
  netlink.execute({
    type: RTM_NEWLINK,
    body: Buffer.concat([
      linkHeader(veth.index, IFF_UP, IFF_UP),
      uint32(LinkAttribute.master, bridgeIndex),
    ]),
    verb: 'put into the bridge',
    subject: veth.name,
  });
}

/** Inside the container: loopback up, the address, and the default route where one is wanted. */
export function configureInside(
  inside: Rtnetlink,
  endpoint: { name: string; address: string; prefixLength: number; gateway: string | undefined },
): void {
  const link = findLink(inside, endpoint.name);
  if (link === undefined)
    throw new Error(`${endpoint.name} is missing in the container's network namespace`);
  inside.execute(
    setLinkUp(loopbackIndex, 'lo'),
    setLinkUp(link.index, endpoint.name),
    addAddress(link.index, endpoint.address, endpoint.prefixLength),
    ...(endpoint.gateway === undefined ? [] : [addDefaultRoute(endpoint.gateway)]),
  );
}
