/**
 * Flows that the kernel remembers (linux/netfilter/nfnetlink_conntrack.h). Translation is decided
 * by a flow's first packet; UDP has no end, so a client that keeps sending would go on reaching the
 * place where the port led before.
 */
import { hasErrno } from '../kernel/libc.ts';
import { attribute, decodeAttributes } from './netlink-message.ts';
import type { Rtnetlink } from './rtnetlink.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_DST_PORT = 3;
const IPPROTO_UDP = 17;
const nestedFlag = 0x8000;

/** struct nfgenmsg for IPv4. */
const header = Buffer.from([2, 0, 0, 0]);

const messageType = (type: number) => (NFNL_SUBSYS_CTNETLINK << 8) | type;

/** Forgets every UDP flow to one of these ports of the machine; the next packet is a first one again. */
export function forgetUdpFlows(netfilter: Rtnetlink, hostPorts: ReadonlySet<number>): void {
  if (hostPorts.size === 0) return;
  const flows = netfilter.dump({
    type: messageType(IPCTNL_MSG_CT_GET),
    body: header,
    verb: 'list',
    subject: 'tracked connections',
  });
  for (const flow of flows) {
    if (flow.type !== messageType(IPCTNL_MSG_CT_NEW)) continue;
    const original = decodeAttributes(flow.body.subarray(header.length)).get(CTA_TUPLE_ORIG);
    if (original === undefined || !goesTo(original, hostPorts)) continue;
    forget(netfilter, original);
  }
}

function goesTo(tuple: Buffer, hostPorts: ReadonlySet<number>): boolean {
  const protocol = decodeAttributes(tuple).get(CTA_TUPLE_PROTO);
  if (protocol === undefined) return false;
  const fields = decodeAttributes(protocol);
  if (fields.get(CTA_PROTO_NUM)?.[0] !== IPPROTO_UDP) return false;
  const port = fields.get(CTA_PROTO_DST_PORT)?.readUInt16BE(0);
  return port !== undefined && hostPorts.has(port);
}

function forget(netfilter: Rtnetlink, original: Buffer): void {
  try {
    netfilter.execute({
      type: messageType(IPCTNL_MSG_CT_DELETE),
      body: Buffer.concat([header, attribute(CTA_TUPLE_ORIG | nestedFlag, original)]),
      verb: 'forget',
      subject: 'a tracked connection',
    });
  } catch (error) {
    // It ran out meanwhile.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
