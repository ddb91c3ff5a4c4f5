/**
 * Serves a published UDP port. Its clients' datagrams go as numbered flows through one channel to the
 * agent (agent/contract/udp-relay.ts).
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ClientChannel } from 'ssh2';
import { FrameReader, framed } from '../../../agent/contract/framing.ts';
import type { OutsideFailure } from '../../../agent/contract/outside-ports.ts';
import { flowHeader, readDatagram, udpRelayName } from '../../../agent/contract/udp-relay.ts';
import type { ServiceLink } from '../ssh/link.ts';
import { explainListen, type PortPlace } from './listen-failure.ts';
import { addressesOf } from './port-addresses.ts';
import { ListenFailed, type OpenPort, type PortTarget } from './tcp-port.ts';
import { UdpFlows } from './udp-flows.ts';

/** Datagrams beyond this are dropped, as a full socket buffer would do. */
const backlogBytes = 1024 * 1024;
/** How many datagrams are kept while the channel opens. */
const waitingFrames = 64;

/** Resolves once it listens. Rejects with ListenFailed. */
export async function openUdpPort(
  link: ServiceLink,
  place: PortPlace,
  target: PortTarget,
): Promise<OpenPort> {
  const line = new RelayLine(() =>
    link.openStreamLocal(udpRelayName(target.containerAddress, target.containerPort)),
  );
  const [needed, further] = addressesOf(place.hostAddress);
  const sockets = [await bind({ ...place, hostAddress: needed })];
  let note: OutsideFailure | undefined;
  if (further !== undefined)
    await bind({ ...place, hostAddress: further }).then(
      (socket) => sockets.push(socket),
      ({ failure }: ListenFailed) => {
        if (failure.kind === 'taken')
          note = { ...failure, cause: `${failure.cause} on IPv6; on IPv4 it is open` };
      },
    );
  for (const socket of sockets)
    socket.on('message', (payload, client) => line.send(socket, client, payload));
  return {
    note,
    close: async () => {
      line.close();
      await Promise.all(
        sockets.map((socket) => new Promise<void>((done) => socket.close(() => done()))),
      );
    },
  };
}

async function bind(place: PortPlace): Promise<UdpSocket> {
  const type = isIPv6(place.hostAddress) ? 'udp6' : 'udp4';
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: place.hostAddress, port: place.hostPort, exclusive: true }, resolve);
    });
  } catch (error) {
    socket.close();
    throw new ListenFailed(await explainListen(place, error as NodeJS.ErrnoException));
  }
  // An answer to a client that has gone fails (ECONNREFUSED), which must not end the port.
  socket.removeAllListeners('error').on('error', () => undefined);
  return socket;
}

/** The channel is opened by the first datagram, and by the next one after it broke. */
class RelayLine {
  readonly #open: () => Promise<ClientChannel>;
  readonly #flows = new UdpFlows();
  #channel: ClientChannel | undefined;
  #opening = false;
  #closed = false;
  #waiting: Buffer[] = [];

  constructor(open: () => Promise<ClientChannel>) {
    this.#open = open;
  }

  send(socket: UdpSocket, client: RemoteInfo, payload: Buffer): void {
    const frame = framed(flowHeader(this.#flows.idOf(socket, client)), payload);
    if (this.#channel === undefined) this.#wait(frame);
    else if (this.#channel.writableLength < backlogBytes) this.#channel.write(frame);
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
    this.#flows.close();
  }

  #wait(frame: Buffer): void {
    if (this.#waiting.length < waitingFrames) this.#waiting.push(frame);
    if (this.#opening) return;
    this.#opening = true;
    this.#open()
      .then((channel) => this.#use(channel))
      // The datagram is lost, as datagrams may be; the next one opens the channel again.
      .catch(() => undefined)
      .finally(() => {
        this.#opening = false;
        this.#waiting = [];
      });
  }

  #use(channel: ClientChannel): void {
    if (this.#closed) {
      channel.close();
      return;
    }
    this.#channel = channel;
    const frames = new FrameReader();
    channel.on('data', (piece: Buffer) => {
      for (const frame of frames.push(piece)) {
        const datagram = readDatagram(frame);
        const flow = datagram && this.#flows.find(datagram.flow);
        if (flow !== undefined && !this.#closed)
          flow.socket.send(datagram?.payload ?? '', flow.port, flow.address, () => undefined);
      }
    });
    channel.on('error', () => undefined);
    channel.on('close', () => {
      if (this.#channel === channel) this.#channel = undefined;
    });
    for (const frame of this.#waiting) channel.write(frame);
  }
}
