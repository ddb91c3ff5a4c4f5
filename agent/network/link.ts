/** Network interfaces with RTM_NEWLINK and its kin (rtnetlink(7), linux/if_link.h). */
import {
  attribute,
  decodeAttributes,
  type Message,
  nested,
  text,
  textOf,
  uint32,
} from './netlink-message.ts';
import type { Request, Rtnetlink } from './rtnetlink.ts';

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

export const IFF_UP = 0x1;
export const loopbackIndex = 1;

/** The IFLA_* attributes that are used here. */
export const LinkAttribute = {
  address: 1,
  name: 3,
  mtu: 4,
  master: 10,
  info: 18,
  netnsFd: 28,
  protinfo: 12,
} as const;
export const LinkInfo = { kind: 1, data: 2 } as const;

export interface Link {
  index: number;
  name: string;
  up: boolean;
  mtu: number;
  /** Index of the bridge that this link is a port of. */
  master: number | undefined;
  /** `bridge`, `veth`, …; undefined for real devices. */
  kind: string | undefined;
}

/** struct ifinfomsg. */
export function linkHeader(index: number, flags = 0, change = 0, family = 0): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt8(family, 0);
  header.writeInt32LE(index, 4);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

export function findLink(netlink: Rtnetlink, name: string): Link | undefined {
  const message = netlink.get({
    type: RTM_GETLINK,
    body: Buffer.concat([linkHeader(0), text(LinkAttribute.name, name)]),
    verb: 'find interface',
    subject: name,
    accept: ['ENODEV'],
  });
  return message && decodeLink(message);
}

export function listLinks(netlink: Rtnetlink): Link[] {
  return netlink
    .dump({ type: RTM_GETLINK, body: linkHeader(0), verb: 'list', subject: 'interfaces' })
    .filter((message) => message.type === RTM_NEWLINK)
    .map(decodeLink);
}

export function setLinkUp(index: number, name: string): Request {
  return {
    type: RTM_NEWLINK,
    body: linkHeader(index, IFF_UP, IFF_UP),
    verb: 'bring up',
    subject: name,
  };
}

/** Deletes by name, because another interface may have got the index meanwhile. */
export function deleteLink(name: string): Request {
  return {
    type: RTM_DELLINK,
    body: Buffer.concat([linkHeader(0), text(LinkAttribute.name, name)]),
    verb: 'delete interface',
    subject: name,
    // A veth pair is removed with either of its namespaces, so it may be gone already.
    accept: ['ENODEV'],
  };
}

export const linkKind = (kind: string, ...data: Buffer[]) =>
  nested(
    LinkAttribute.info,
    text(LinkInfo.kind, kind),
    ...(data.length === 0 ? [] : [nested(LinkInfo.data, ...data)]),
  );

export const macAttribute = (macAddress: string) =>
  attribute(LinkAttribute.address, Buffer.from(macAddress.replaceAll(':', ''), 'hex'));

export const mtuAttribute = (mtu: number) => uint32(LinkAttribute.mtu, mtu);

function decodeLink(message: Message): Link {
  const attributes = decodeAttributes(message.body.subarray(16));
  const info = attributes.get(LinkAttribute.info);
  return {
    index: message.body.readInt32LE(4),
    up: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
    name: textOf(attributes.get(LinkAttribute.name)) ?? '',
    mtu: attributes.get(LinkAttribute.mtu)?.readUInt32LE(0) ?? 0,
    master: attributes.get(LinkAttribute.master)?.readUInt32LE(0),
    kind: info && textOf(decodeAttributes(info).get(LinkInfo.kind)),
  };
}
