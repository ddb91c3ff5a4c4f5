/** Adds and lists the addresses of interfaces with RTM_NEWADDR (rtnetlink(7), linux/if_addr.h). */
import { addressBytes, formatAddress, formatSubnet, lastOf, parseSubnet } from './ipv4.ts';
import { attribute, decodeAttributes, Flag } from './netlink-message.ts';
import type { Request, Rtnetlink } from './rtnetlink.ts';

const AF_INET = 2;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;

export interface InterfaceAddress {
  index: number;
  address: string;
  prefixLength: number;
}

export function addAddress(index: number, address: string, prefixLength: number): Request {
  const subnet = parseSubnet(`${address}/${prefixLength}`);
  return {
    type: RTM_NEWADDR,
    flags: Flag.create | Flag.replace,
    body: Buffer.concat([
      header(index, prefixLength),
      attribute(IFA_LOCAL, addressBytes(address)),
      attribute(IFA_ADDRESS, addressBytes(address)),
      attribute(IFA_BROADCAST, addressBytes(formatAddress(lastOf(subnet)))),
    ]),
    verb: 'add address',
    subject: `${address}/${prefixLength}`,
  };
}

export function listAddresses(netlink: Rtnetlink): InterfaceAddress[] {
  return netlink
    .dump({ type: RTM_GETADDR, body: header(0, 0), verb: 'list', subject: 'addresses' })
    .filter((message) => message.type === RTM_NEWADDR)
    .map((message) => {
      const attributes = decodeAttributes(message.body.subarray(8));
      const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      return {
        index: message.body.readUInt32LE(4),
        address: bytes === undefined ? '0.0.0.0' : formatAddress(bytes.readUInt32BE(0)),
        prefixLength: message.body.readUInt8(1),
      };
    });
}

export const subnetOf = (address: InterfaceAddress) =>
  formatSubnet(parseSubnet(`${address.address}/${address.prefixLength}`));

/** struct ifaddrmsg, universe scope. */
function header(index: number, prefixLength: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(AF_INET, 0);
  bytes.writeUInt8(prefixLength, 1);
  bytes.writeUInt32LE(index, 4);
  return bytes;
}
