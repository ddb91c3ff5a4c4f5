/** IPv4 routes: RTM_NEWROUTE (rtnetlink(7), linux/rtnetlink.h). */
import { addressBytes, formatAddress } from './ipv4.ts';
import { attribute, decodeAttributes, Flag } from './netlink-message.ts';
import type { Request, Rtnetlink } from './rtnetlink.ts';

const AF_INET = 2;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTPROT_BOOT = 3;
const RT_SCOPE_UNIVERSE = 0;
const RTN_UNICAST = 1;

export interface Route {
  /** Destination subnet; `everyDestination` is the default route. */
  destination: string;
  interfaceIndex: number | undefined;
  gateway: string | undefined;
}

export const everyDestination = '0.0.0.0/0';

/** Adds a default route; the kernel finds the interface whose network has the gateway. */
export function addDefaultRoute(gateway: string): Request {
  return {
    type: RTM_NEWROUTE,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([header(), attribute(RTA_GATEWAY, addressBytes(gateway))]),
    verb: 'add default route through',
    subject: gateway,
  };
}

/** Lists all routes except those that the kernel keeps for the machine's own addresses. */
export function listRoutes(netlink: Rtnetlink): Route[] {
  return netlink
    .dump({ type: RTM_GETROUTE, body: header(), verb: 'list', subject: 'routes' })
    .filter(
      (message) =>
        message.type === RTM_NEWROUTE &&
        message.body.readUInt8(0) === AF_INET &&
        message.body.readUInt8(4) !== RT_TABLE_LOCAL,
    )
    .map((message) => {
      const attributes = decodeAttributes(message.body.subarray(12));
      const destination = attributes.get(RTA_DST);
      const address = destination === undefined ? 0 : destination.readUInt32BE(0);
      const gateway = attributes.get(RTA_GATEWAY);
      return {
        destination: `${formatAddress(address)}/${message.body.readUInt8(1)}`,
        interfaceIndex: attributes.get(RTA_OIF)?.readUInt32LE(0),
        gateway: gateway && formatAddress(gateway.readUInt32BE(0)),
      };
    });
}

/** struct rtmsg. */
function header(): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt8(AF_INET, 0);
  bytes.writeUInt8(RT_TABLE_MAIN, 4);
  bytes.writeUInt8(RTPROT_BOOT, 5);
  bytes.writeUInt8(RT_SCOPE_UNIVERSE, 6);
  bytes.writeUInt8(RTN_UNICAST, 7);
  return bytes;
}
