/**
 * Veth pairs (veth(4)): one end is a port of the bridge, the other is created inside the container's namespace under
 * its final name, so that one request is enough and no device is moved.
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
  /** Index of the bridge whose port the host's end becomes. */
  bridgeIndex: number;
  insideName: string;
  macAddress: string;
  mtu: number;
}

/** Creates the pair with the host's end in the bridge and the other end in the namespace of `networkFd`. */
export function makeVethPair(netlink: Rtnetlink, pair: VethPair, networkFd: number): void {
  const peer = Buffer.concat([
    // The device is set up later: the kernel configures the peer before the two are joined, and up then fails with
    // ENOTCONN.
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
 * In hairpin mode frames may leave through the port they came in by. When the kernel passes bridged frames to
 * netfilter (net.bridge.bridge-nf-call-iptables), a container that connects to its own published port is translated
 * within the bridge, and its packet must return through the same port (measured).
 *
 * An isolated port exchanges no traffic with other isolated ports (`enable_icc=false`).
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

/** Adds a pair's host end to a bridge again. */
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

/** Configures the container's side: loopback up, the address, and the default route when wanted. */
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
