/**
 * Deletes entries of connection tracking (linux/netfilter/nfnetlink_conntrack.h). A flow's first packet decides its
 * translation, and UDP has no end, so a client that keeps sending would still reach the former owner of a port.
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

/** Deletes every UDP flow to one of these ports of the machine, so that the next packet is translated anew. */
export function deleteUdpFlows(netfilter: Rtnetlink, hostPorts: ReadonlySet<number>): void {
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
    deleteFlow(netfilter, original);
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

function deleteFlow(netfilter: Rtnetlink, original: Buffer): void {
  try {
    netfilter.execute({
      type: messageType(IPCTNL_MSG_CT_DELETE),
      body: Buffer.concat([header, attribute(CTA_TUPLE_ORIG | nestedFlag, original)]),
      verb: 'deleteFlow',
      subject: 'a tracked connection',
    });
  } catch (error) {
    // ENOENT means that the entry has timed out meanwhile.
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
