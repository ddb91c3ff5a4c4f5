/**
 * A DNS server on a network's gateway: it answers for the names and aliases of the network's containers and forwards
 * every other query to the machine's name servers.
 *
 * It is the only part of networking that runs in the agent. While the agent is stopped, names do not resolve in user
 * networks, but connections go on.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import {
  type Answer,
  decodeQuery,
  encodeName,
  encodeResponse,
  fitForUdp,
  type Query,
  RecordType,
  ResponseCode,
} from '../contract/dns-message.ts';
import { FrameReader, framed } from '../contract/framing.ts';
import { hostNames } from '../contract/host-names.ts';
import { askServers, type NameServer } from '../contract/name-servers.ts';
import { portOwner } from '../contract/port-owner.ts';
import { CortenError } from '../errors.ts';
import { hasErrno } from '../kernel/libc.ts';
import type { NameTable } from './dns-names.ts';
import type { EngineNetwork } from './engine-network.ts';
import { addressBytes } from './ipv4.ts';

const dnsPort = 53;
/** TTL of an answer. It is short, because a container may get another address at each start. */
const ttlSeconds = 5;
/** Limit of queries that are held for all containers of the network at once. */
const pendingQuestionLimit = 512;
const connectionLimit = 64;
const connectionIdleMs = 10_000;
const upstreamTimeoutMs = 3000;

export interface DnsPlan {
  networkId: string;
  gateway: string;
  names: NameTable;
  /** Network of the gateway, if it is not the machine's own. */
  netns?: EngineNetwork;
  /** Forwarding; `undefined` in an internal network, whose containers must not reach outside. */
  outside?: {
    /** Address of the name `host.docker.internal` and the like. */
    hostAddress: () => string;
    /** Asked before the upstreams, which are used when it returns `undefined`. */
    ask: (message: Buffer) => Promise<Buffer | undefined>;
    upstreams: () => readonly NameServer[];
  };
}

export class DnsServer {
  readonly #plan: DnsPlan;
  readonly #udp: UdpSocket = createSocket({ type: 'udp4' });
  /** Sockets are half-open, because a client may end its side after the query and still wait for the answer. */
  readonly #tcp: Server = createServer({ allowHalfOpen: true }, (connection) =>
    this.#serveConnection(connection),
  );
  readonly #connections = new Set<Socket>();
  #pending = 0;

  constructor(plan: DnsPlan) {
    this.#plan = plan;
  }

  async start(): Promise<void> {
    const address = this.#plan.gateway;
    try {
      const sockets = await this.#plan.netns?.listen(address, dnsPort);
      await new Promise<void>((resolve, reject) => {
        this.#udp.once('error', reject);
        const place = sockets && { fd: sockets.udpFd };
        this.#udp.bind(place ?? { address, port: dnsPort, exclusive: true }, resolve);
      });
      await new Promise<void>((resolve, reject) => {
        this.#tcp.once('error', reject);
        const place = sockets && { fd: sockets.tcpFd };
        this.#tcp.listen(place ?? { host: address, port: dnsPort, exclusive: true }, resolve);
      });
    } catch (error) {
      this.close();
      throw unavailable(address, error);
    }
    this.#tcp.maxConnections = connectionLimit;
    // A failed answer concerns only the client that went away.
    this.#udp.removeAllListeners('error').on('error', () => undefined);
    this.#tcp.removeAllListeners('error').on('error', () => undefined);
    this.#udp.on('message', (message, client) => this.#serveDatagram(message, client));
    this.#udp.unref();
    this.#tcp.unref();
  }

  close(): void {
    try {
      this.#udp.close();
    } catch {
      // The socket was never bound, so there is nothing to close.
    }
    this.#tcp.close();
    for (const connection of this.#connections) connection.destroy();
  }

  async #serveDatagram(message: Buffer, client: RemoteInfo): Promise<void> {
    const answer = await this.#answer(message, client.address, 'udp');
    if (answer !== undefined) this.#udp.send(answer, client.port, client.address, () => undefined);
  }

  #serveConnection(connection: Socket): void {
    const asker = connection.remoteAddress ?? '';
    const frames = new FrameReader();
    let answering: Promise<void> = Promise.resolve();
    this.#connections.add(connection);
    connection.setTimeout(connectionIdleMs, () => connection.destroy());
    connection.on('close', () => this.#connections.delete(connection));
    connection.on('error', () => connection.destroy());
    connection.on('data', (piece: Buffer) => {
      for (const message of frames.push(piece))
        answering = answering.then(async () => {
          const answer = await this.#answer(message, asker, 'tcp');
          if (answer !== undefined && connection.writable) connection.write(framed(answer));
        });
    });
    connection.on('end', () => answering.then(() => connection.end()));
  }

  async #answer(
    message: Buffer,
    asker: string,
    transport: 'udp' | 'tcp',
  ): Promise<Buffer | undefined> {
    const query = decodeQuery(message);
    if (query === undefined) return undefined;
    const own = this.#ownAnswers(query, asker);
    if (own !== undefined)
      return encodeResponse(query, ResponseCode.ok, own, ttlSeconds, transport);
    if (this.#pending >= pendingQuestionLimit) return undefined;
    this.#pending++;
    try {
      return (
        (await this.#askOutside(message, transport)) ??
        encodeResponse(query, ResponseCode.serverFailure, [], ttlSeconds, transport)
      );
    } finally {
      this.#pending--;
    }
  }

  async #askOutside(message: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const { outside } = this.#plan;
    if (outside === undefined) return undefined;
    const whole = await outside.ask(message);
    if (whole !== undefined) return transport === 'udp' ? fitForUdp(message, whole) : whole;
    return askServers({ message, transport, timeoutMs: upstreamTimeoutMs }, outside.upstreams());
  }

  /** Answers for names of containers: `undefined` for another name, empty when the name has no record of that type. */
  #ownAnswers(query: Query, asker: string): Answer[] | undefined {
    const { networkId, names, outside } = this.#plan;
    const reversed = addressOfReverseName(query.name);
    if (reversed !== undefined) {
      const name = names.nameOf(networkId, asker, reversed);
      return name === undefined ? undefined : [{ type: RecordType.ptr, data: encodeName(name) }];
    }
    const host = outside && hostNames.includes(query.name) ? [outside.hostAddress()] : undefined;
    const addresses = names.lookUp(networkId, asker, query.name) ?? host;
    if (addresses === undefined) return undefined;
    if (query.type !== RecordType.a && query.type !== RecordType.any) return [];
    return shuffled(addresses).map((address) => ({
      type: RecordType.a,
      data: addressBytes(address),
    }));
  }
}

/** Address of a reverse name: `4.3.2.1.in-addr.arpa` is 1.2.3.4 (RFC 1035, 3.5). */
function addressOfReverseName(name: string): string | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa$/.exec(name);
  return match?.slice(1).reverse().join('.');
}

/** Containers that share an alias are answered in random order. */
function shuffled(addresses: readonly string[]): string[] {
  return addresses
    .map((address) => ({ address, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ address }) => address);
}

function unavailable(address: string, cause: unknown): unknown {
  if (!hasErrno(cause, 'EADDRINUSE')) return cause;
  const owner = portOwner('udp', dnsPort) ?? portOwner('tcp', dnsPort) ?? 'another program';
  return new CortenError(
    'unavailable',
    `the network's name server cannot use ${address} port ${dnsPort}: ${owner} has it; ` +
      'configure that program to listen on its own addresses only (dnsmasq: bind-interfaces; bind: listen-on)',
    { cause },
  );
}
