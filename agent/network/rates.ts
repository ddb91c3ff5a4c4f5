/**
 * Limits how fast an endpoint sends and receives with token buckets (tc-tbf(8)) on the machine's side, where no
 * container can remove them, whatever its capabilities.
 *
 * What a container receives leaves through the host's end of its veth pair, so the first bucket is the root qdisc of
 * that end. What it sends comes in through that end, but only outgoing traffic can be queued: it is redirected
 * through an ifb device, whose root qdisc is the second bucket, and returns to the veth. Queueing keeps a TCP stream
 * within a few percent of its rate; dropping at once (police) would not.
 */
import type { NetworkRates } from '../contract/limits.ts';
import { invalid } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import {
  findLink,
  IFF_UP,
  type Link,
  LinkAttribute,
  linkHeader,
  linkKind,
  RTM_NEWLINK,
} from './link.ts';
import { attribute, decodeAttributes, Flag, nested, text, uint32 } from './netlink-message.ts';
import type { Request, Rtnetlink } from './rtnetlink.ts';

/** linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h. */
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_GETQDISC = 38;
const RTM_NEWTFILTER = 44;
const TC_H_ROOT = 0xffff_ffff;
const TC_H_INGRESS = 0xffff_fff1;
const rootHandle = 0x0001_0000;
const ingressHandle = 0xffff_0000;
const Tca = { kind: 1, options: 2 } as const;
const Tbf = { parms: 1, rate64: 4, burst: 6 } as const;
const U32 = { sel: 5, act: 7 } as const;
const Act = { kind: 1, options: 2 } as const;
const TCA_MIRRED_PARMS = 2;
const TCA_EGRESS_REDIR = 1;
const TC_ACT_STOLEN = 4;
const TC_U32_TERMINAL = 1;
const TC_LINKLAYER_ETHERNET = 1;
/** ETH_P_ALL in network byte order, as a filter's protocol is encoded. */
const everyProtocol = 0x0300;

/** A bucket that cannot hold one frame with its header lets nothing through. */
const leastBurstBytes = 1600;
const burstSeconds = 0.02;
/** A GSO packet has up to 64 KiB; a queue that cannot hold a few loses whole TCP windows. */
const leastQueueBytes = 256 * 1024;
const queueSeconds = 0.1;
const maxUint32 = 0xffff_ffff;

export interface RateDevices {
  /** Host's end of the veth pair. */
  veth: string;
  /** The ifb device through which the container's outgoing traffic is redirected. */
  shaper: string;
}

/** Sets the limits of both directions; absent and null mean no limit. Throws invalid when the kernel lacks support. */
export function setRates(
  netlink: Rtnetlink,
  { veth, shaper }: RateDevices,
  rates: NetworkRates,
): void {
  const link = findLink(netlink, veth);
  // The container has ended meanwhile, and its interface with it.
  if (link === undefined) return;
  try {
    if (rates.ingressBytesPerSecond == null) netlink.execute(removeQdisc(link, TC_H_ROOT));
    else netlink.execute(tokenBucket(link, rates.ingressBytesPerSecond));
    if (rates.egressBytesPerSecond != null)
      redirectThrough(netlink, link, shaper, rates.egressBytesPerSecond);
    else netlink.execute(removeQdisc(link, TC_H_INGRESS));
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTSUP', 'EOPNOTSUPP'))
      throw invalid(
        "This machine's kernel cannot limit network rates: it needs sch_tbf, sch_ingress, cls_u32, act_mirred and ifb (CONFIG_NET_SCH_TBF and so on).",
        error,
      );
    throw error;
  }
}

/** The current limits; absent means no limit. */
export function readRates(netlink: Rtnetlink, { veth, shaper }: RateDevices): NetworkRates {
  const [ingress, egress] = [veth, shaper].map((name) => rateOf(netlink, findLink(netlink, name)));
  return {
    ...(egress !== undefined && { egressBytesPerSecond: egress }),
    ...(ingress !== undefined && { ingressBytesPerSecond: ingress }),
  };
}

function rateOf(netlink: Rtnetlink, link: Link | undefined): number | undefined {
  if (link === undefined) return undefined;
  const body = trafficHeader(link, 0, 0);
  const subject = link.name;
  const bucket = netlink
    .dump({ type: RTM_GETQDISC, body, verb: 'read the rate of', subject })
    .find(
      (message) =>
        message.type === RTM_NEWQDISC &&
        message.body.readInt32LE(4) === link.index &&
        message.body.readUInt32LE(8) === rootHandle,
    );
  const options = bucket && decodeAttributes(bucket.body.subarray(20)).get(Tca.options);
  const held = decodeAttributes(options ?? Buffer.alloc(0));
  // A rate of 4 GiB/s and more does not fit struct tc_ratespec.
  const rate64 = held.get(Tbf.rate64);
  if (rate64 !== undefined) return Number(rate64.readBigUInt64LE(0));
  return held.get(Tbf.parms)?.readUInt32LE(8);
}

/**
 * Redirects what comes in through `link`. The order of the steps is such that a failure leaves the container without
 * a limit and not without a network.
 */
function redirectThrough(
  netlink: Rtnetlink,
  link: Link,
  shaper: string,
  bytesPerSecond: number,
): void {
  netlink.execute(makeShaper(shaper));
  const through = findLink(netlink, shaper);
  if (through === undefined) throw new Error(`interface ${shaper} vanished as it was made`);
  netlink.execute(tokenBucket(through, bytesPerSecond));
  // The filter is recreated, because a second one would stay beside the first. One datagram lets no packet pass in
  // between.
  netlink.execute(removeQdisc(link, TC_H_INGRESS), ingressQdisc(link), redirectAll(link, through));
}

function makeShaper(name: string): Request {
  return {
    type: RTM_NEWLINK,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([
      linkHeader(0, IFF_UP, IFF_UP),
      text(LinkAttribute.name, name),
      linkKind('ifb'),
    ]),
    verb: 'make interface',
    subject: name,
    // An earlier limit of the same endpoint may have left the device.
    accept: ['EEXIST'],
  };
}

/** struct tcmsg. */
function trafficHeader(link: Link, handle: number, parent: number, info = 0): Buffer {
  const header = Buffer.alloc(20);
  header.writeInt32LE(link.index, 4);
  header.writeUInt32LE(handle, 8);
  header.writeUInt32LE(parent, 12);
  header.writeUInt32LE(info, 16);
  return header;
}

/**
 * The bucket holds 20 ms of traffic, so that no second sees much more than the rate; the kernel splits larger
 * packets. The queue holds 100 ms, within which TCP adapts.
 */
function tokenBucket(link: Link, bytesPerSecond: number): Request {
  const atMost = (value: number) => Math.min(maxUint32, Math.round(value));
  const burst = atMost(Math.max(leastBurstBytes + link.mtu - 1500, bytesPerSecond * burstSeconds));
  const limit = atMost(Math.max(leastQueueBytes, bytesPerSecond * queueSeconds + burst));
  // struct tc_tbf_qopt: two tc_ratespec of 12 bytes, then limit, buffer and mtu.
  const options = Buffer.alloc(36);
  options.writeUInt8(TC_LINKLAYER_ETHERNET, 1);
  options.writeUInt32LE(atMost(bytesPerSecond), 8);
  options.writeUInt32LE(limit, 24);
  const rate64 = Buffer.alloc(8);
  rate64.writeBigUInt64LE(BigInt(bytesPerSecond));
  return {
    type: RTM_NEWQDISC,
    flags: Flag.create | Flag.replace,
    body: Buffer.concat([
      trafficHeader(link, rootHandle, TC_H_ROOT),
      text(Tca.kind, 'tbf'),
      nested(
        Tca.options,
        attribute(Tbf.parms, options),
        uint32(Tbf.burst, burst),
        ...(bytesPerSecond > maxUint32 ? [attribute(Tbf.rate64, rate64)] : []),
      ),
    ]),
    verb: 'limit the rate of',
    subject: link.name,
  };
}

function ingressQdisc(link: Link): Request {
  return {
    type: RTM_NEWQDISC,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([
      trafficHeader(link, ingressHandle, TC_H_INGRESS),
      text(Tca.kind, 'ingress'),
    ]),
    verb: 'add the ingress qdisc of',
    subject: link.name,
  };
}

function removeQdisc(link: Link, parent: number): Request {
  return {
    type: RTM_DELQDISC,
    body: trafficHeader(link, 0, parent),
    verb: 'remove the rate limit of',
    subject: link.name,
    // ENOENT and EINVAL mean that there was no limit: the kernel's own root qdisc has no handle.
    accept: ['ENOENT', 'EINVAL'],
  };
}

/** A u32 filter that matches everything, with one action: redirect to the other interface. */
function redirectAll(link: Link, through: Link): Request {
  // struct tc_u32_sel with one struct tc_u32_key whose mask is empty.
  const selector = Buffer.alloc(16 + 16);
  selector.writeUInt8(TC_U32_TERMINAL, 0);
  selector.writeUInt8(1, 2);
  // struct tc_mirred: index, capab, action, refcnt, bindcnt, eaction, ifindex.
  const redirect = Buffer.alloc(28);
  redirect.writeInt32LE(TC_ACT_STOLEN, 8);
  redirect.writeInt32LE(TCA_EGRESS_REDIR, 20);
  redirect.writeUInt32LE(through.index, 24);
  const firstPriority = 1 << 16;
  return {
    type: RTM_NEWTFILTER,
    flags: Flag.create | Flag.exclusive,
    body: Buffer.concat([
      trafficHeader(link, 0, ingressHandle, firstPriority | everyProtocol),
      text(Tca.kind, 'u32'),
      nested(
        Tca.options,
        attribute(U32.sel, selector),
        nested(
          U32.act,
          nested(
            1,
            text(Act.kind, 'mirred'),
            nested(Act.options, attribute(TCA_MIRRED_PARMS, redirect)),
          ),
        ),
      ),
    ]),
    verb: 'redirect the incoming traffic of',
    subject: link.name,
  };
}
