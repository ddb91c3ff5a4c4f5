/** Creates bridge devices (linux/if_link.h, IFLA_BR_*). */
import { addAddress } from './address.ts';
import {
  findLink,
  IFF_UP,
  LinkAttribute,
  linkHeader,
  linkKind,
  macAttribute,
  mtuAttribute,
  RTM_NEWLINK,
} from './link.ts';
import { Flag, text, uint32 } from './netlink-message.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const IFLA_BR_FORWARD_DELAY = 1;
const IFLA_BR_STP_STATE = 5;

/** Creates the bridge with its gateway address and brings it up. Returns its interface index. */
export function makeBridge(
  netlink: Rtnetlink,
  bridge: { name: string; address: string; prefixLength: number; macAddress: string; mtu: number },
): number {
  netlink.execute({
    type: RTM_NEWLINK,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([
      linkHeader(0, IFF_UP, IFF_UP),
      text(LinkAttribute.name, bridge.name),
      // The MAC address is fixed. Otherwise the bridge takes the lowest address of its ports, which changes as ports
      // come and go, and containers keep stale ARP entries for their gateway.
      macAttribute(bridge.macAddress),
      mtuAttribute(bridge.mtu),
      // Without the spanning tree protocol a new port forwards at once.
      linkKind('bridge', uint32(IFLA_BR_FORWARD_DELAY, 0), uint32(IFLA_BR_STP_STATE, 0)),
    ]),
    verb: 'make bridge',
    subject: bridge.name,
    // An earlier agent may have created it. Its address and state are set again below.
    accept: ['EEXIST'],
  });
  const link = findLink(netlink, bridge.name);
  if (link?.kind !== 'bridge')
    throw new Error(
      `${bridge.name} exists and is not a bridge; delete it with: ip link del ${bridge.name}`,
    );
  netlink.execute(
    {
      type: RTM_NEWLINK,
      body: linkHeader(link.index, IFF_UP, IFF_UP),
      verb: 'bring up',
      subject: bridge.name,
    },
    addAddress(link.index, bridge.address, bridge.prefixLength),
  );
  return link.index;
}
