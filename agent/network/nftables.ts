/**
 * The two nf_tables requests that every container's start needs, sent directly (linux/netfilter/nf_tables.h): an
 * `nft` process takes 6 to 10 ms, this takes less than 0.1 ms. Everything else is done with `nft`.
 */
import { receiveNetlink, sendNetlink } from '../kernel/netlink.ts';
import { addressBytes } from './ipv4.ts';
import {
  attribute,
  decodeAck,
  decodeMessages,
  encodeMessage,
  Flag,
  MessageType,
  nested,
  text,
} from './netlink-message.ts';
import { NetlinkError } from './rtnetlink.ts';
import { everyAddress, type PortMapping, portMaps } from './ruleset.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;
const NFPROTO_INET = 1;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFTA_TABLE_NAME = 1;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_DATA_VALUE = 1;
const protocolNumbers = { tcp: 6, udp: 17 } as const;

export class NftablesSocket {
  readonly fd: number;
  #sequence = 1;

  constructor(fd: number) {
    this.fd = fd;
  }

  hasTable(table: string): boolean {
    const message = request(NFT_MSG_GETTABLE, Flag.ack, this.#sequence++, [
      text(NFTA_TABLE_NAME, table),
    ]);
    return this.#exchange(message, 'find table', table, ['ENOENT']);
  }

  /** Adds all ports or none. Throws NetlinkError with EEXIST for a port that is mapped, and ENOENT without the table. */
  addPorts(table: string, ports: readonly PortMapping[]): void {
    this.#change(NFT_MSG_NEWSETELEM, Flag.create | Flag.exclusive, table, ports);
  }

  /** Deletes all ports or none. Throws NetlinkError with ENOENT when one of them is not mapped. */
  deletePorts(table: string, ports: readonly PortMapping[]): void {
    this.#change(NFT_MSG_DELSETELEM, 0, table, ports);
  }

  #change(type: number, flags: number, table: string, ports: readonly PortMapping[]): void {
    if (ports.length === 0) return;
    const anywhere = ports.filter((port) => port.hostAddress === everyAddress);
    const somewhere = ports.filter((port) => port.hostAddress !== everyAddress);
    // The kernel runs the messages between two batch marks as one transaction (nfnetlink_rcv_batch).
    const batch = [batchMark(NFNL_MSG_BATCH_BEGIN, this.#sequence++)];
    if (anywhere.length > 0)
      batch.push(this.#elements(type, flags, table, portMaps.everyAddress, anywhere));
    if (somewhere.length > 0)
      batch.push(this.#elements(type, flags, table, portMaps.oneAddress, somewhere));
    batch.push(batchMark(NFNL_MSG_BATCH_END, this.#sequence++));
    this.#exchange(Buffer.concat(batch), 'change published ports of table', table, []);
  }

  #elements(
    type: number,
    flags: number,
    table: string,
    map: string,
    ports: readonly PortMapping[],
  ): Buffer {
    const list = ports.map((port) =>
      nested(
        NFTA_LIST_ELEM,
        nested(NFTA_SET_ELEM_KEY, attribute(NFTA_DATA_VALUE, keyOf(port))),
        nested(NFTA_SET_ELEM_DATA, attribute(NFTA_DATA_VALUE, targetOf(port))),
      ),
    );
    return request(type, flags | Flag.ack, this.#sequence++, [
      text(NFTA_SET_ELEM_LIST_TABLE, table),
      text(NFTA_SET_ELEM_LIST_SET, map),
      nested(NFTA_SET_ELEM_LIST_ELEMENTS, ...list),
    ]);
  }

  /** Returns true on success and false for an errno in `accept`. Throws NetlinkError otherwise. */
  #exchange(message: Buffer, verb: string, subject: string, accept: string[]): boolean {
    const sequences = [...decodeMessages(message)]
      .filter((one) => one.type >> 8 === NFNL_SUBSYS_NFTABLES)
      .map((one) => one.sequence);
    sendNetlink(this.fd, message);
    const waiting = new Set(sequences);
    while (waiting.size > 0) {
      for (const answer of decodeMessages(receiveNetlink(this.fd))) {
        if (answer.type !== MessageType.error) continue;
        const { errno, hint } = decodeAck(answer);
        waiting.delete(answer.sequence);
        if (errno === 0) continue;
        const error = new NetlinkError(verb, errno, subject, hint);
        if (accept.includes(error.code)) return false;
        throw error;
      }
    }
    return true;
  }
}

function request(type: number, flags: number, sequence: number, attributes: Buffer[]): Buffer {
  return encodeMessage(
    (NFNL_SUBSYS_NFTABLES << 8) | type,
    Flag.request | flags,
    sequence,
    netfilterHeader(NFPROTO_INET, 0),
    ...attributes,
  );
}

function batchMark(type: number, sequence: number): Buffer {
  return encodeMessage(type, Flag.request, sequence, netfilterHeader(0, NFNL_SUBSYS_NFTABLES));
}

/** struct nfgenmsg; the resource number is in network byte order. */
function netfilterHeader(family: number, resource: number): Buffer {
  return Buffer.from([family, 0, resource >> 8, resource & 255]);
}

/** A concatenation, whose parts are each padded to four bytes (nft(8), concatenations). */
function keyOf(port: PortMapping): Buffer {
  const parts = [Buffer.from([protocolNumbers[port.protocol], 0, 0, 0]), portBytes(port.hostPort)];
  return Buffer.concat(
    port.hostAddress === everyAddress ? parts : [addressBytes(port.hostAddress), ...parts],
  );
}

const targetOf = (port: PortMapping) =>
  Buffer.concat([addressBytes(port.containerAddress), portBytes(port.containerPort)]);

const portBytes = (port: number) => Buffer.from([port >> 8, port & 255, 0, 0]);
