/**
 * Answers the machine's DNS queries as this computer would (agent/contract/dns-service.ts). The
 * system's resolver answers for addresses, because it knows hosts files, VPNs and private zones; the
 * system's name servers answer for every other record.
 */
import { getServers, type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import type { ClientChannel } from 'ssh2';
import {
  type Answer,
  decodeQuery,
  encodeResponse,
  type Query,
  RecordType,
  ResponseCode,
} from '../../../agent/contract/dns-message.ts';
import { dnsService } from '../../../agent/contract/dns-service.ts';
import { FrameReader, framed } from '../../../agent/contract/framing.ts';
import { askServers, type NameServer } from '../../../agent/contract/name-servers.ts';
import type { ServiceLink } from '../ssh/link.ts';
import { keepService } from '../ssh/service-channel.ts';

/** getaddrinfo(3) returns no TTL, so a short one is used. */
const ttlSeconds = 10;
const dnsPort = 53;
/** For each server; the machine's own timeout allows three of them (agent/network/host-resolver.ts). */
const timeoutMs = 2000;
/** A lookup takes a thread of node's pool, which file access needs too; further lookups wait here. */
const lookupsAtOnce = 16;

export interface HostDnsOptions {
  link: ServiceLink;
  lookUp?: (name: string) => Promise<LookupAddress[]>;
  /** Called for each query, because the servers change with the network. */
  servers?: () => NameServer[];
  reconnectMs?: number;
}

export function serveHostDns(options: HostDnsOptions): { close(): void } {
  const resolver = new SystemResolver(options);
  return keepService({
    ...options,
    name: dnsService,
    converse: (channel) => answerOn(channel, resolver),
  });
}

function answerOn(channel: ClientChannel, resolver: SystemResolver): void {
  const frames = new FrameReader();
  channel.on('data', (piece: Buffer) => {
    for (const message of frames.push(piece))
      void resolver.answer(message).then((answer) => {
        if (answer !== undefined) channel.write(framed(answer));
      });
  });
}

class SystemResolver {
  readonly #lookUp: (name: string) => Promise<LookupAddress[]>;
  readonly #servers: () => NameServer[];
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor({ lookUp = systemLookUp, servers = systemServers }: HostDnsOptions) {
    this.#lookUp = lookUp;
    this.#servers = servers;
  }

  /** Undefined for a message that is no DNS query. */
  async answer(message: Buffer): Promise<Buffer | undefined> {
    const query = decodeQuery(message);
    if (query === undefined) return undefined;
    if (query.type === RecordType.a || query.type === RecordType.aaaa) {
      const own = await this.#addresses(query);
      if (own !== undefined) return own;
    }
    return (
      (await askServers({ message, transport: 'whole', timeoutMs }, this.#servers())) ??
      encodeResponse(query, ResponseCode.serverFailure, [], ttlSeconds, 'tcp')
    );
  }

  /** Undefined where the name servers have to be asked. */
  async #addresses(query: Query): Promise<Buffer | undefined> {
    let found: LookupAddress[];
    try {
      found = await this.#inTurn(() => this.#lookUp(query.name));
    } catch {
      // getaddrinfo(3) does not tell a missing name from a name without addresses.
      return undefined;
    }
    // A loopback address, such as that of this computer's own name, would mean the container itself.
    const usable = found.filter(({ address }) => !isLoopback(address));
    if (usable.length === 0) return undefined;
    const family = query.type === RecordType.a ? 4 : 6;
    // A name with addresses of the other family only exists: the answer is empty, not NXDOMAIN.
    const answers = usable
      .filter((each) => each.family === family)
      .flatMap(({ address }) => recordOf(query.type, address));
    return encodeResponse(query, ResponseCode.ok, answers, ttlSeconds, 'tcp');
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= lookupsAtOnce)
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
  }
}

/** Asks for both families, so that a query for one of them can tell whether the name exists. */
function systemLookUp(name: string): Promise<LookupAddress[]> {
  return lookup(name, { all: true, order: 'verbatim' });
}

function systemServers(): NameServer[] {
  return getServers().map((text) => {
    const match = /^\[(.+)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
    return match === null
      ? { address: text, port: dnsPort }
      : { address: match[1] ?? '', port: Number(match[2]) };
  });
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function recordOf(type: number, address: string): Answer[] {
  const data = isIPv6(address)
    ? ipv6Bytes(address)
    : Buffer.from(address.split('.').map((part) => Number(part)));
  return data === undefined ? [] : [{ type, data }];
}

/** Undefined for an address with a zone (`fe80::1%eth0`), which is valid on this computer only. */
function ipv6Bytes(address: string): Buffer | undefined {
  if (address.includes('%')) return undefined;
  // URL writes every form of an address as groups of hex digits (WHATWG URL, host serializing).
  const plain = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = '', tail] = plain.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => '0');
  const bytes = Buffer.alloc(16);
  [...first, ...zeros, ...last].forEach((group, index) => {
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * index);
  });
  return bytes;
}
