/** The machine's end of a published UDP port: a socket for each flow (contract/udp-relay.ts). */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Duplex } from 'node:stream';
import { FrameReader, framed } from '../contract/framing.ts';
import { flowHeader, readDatagram } from '../contract/udp-relay.ts';

/** Idle time of a flow: longer than in Docker's UDP proxy (90 s), so that the host forgets the client first. */
const flowIdleMs = 100_000;
/** Limit of flows, so that a flood from forged addresses does not take every descriptor. */
const flowLimit = 1024;
/** Limit of waiting bytes: what exceeds it is dropped, as with a full socket buffer. */
const backlogBytes = 1024 * 1024;

export interface UdpRelayOptions {
  address: string;
  port: number;
  flowIdleMs?: number;
  flowLimit?: number;
}

interface Flow {
  socket: UdpSocket;
  lastUsed: number;
}

/** Serves a channel until it closes. */
export function relayDatagrams(channel: Duplex, options: UdpRelayOptions): void {
  const idleMs = options.flowIdleMs ?? flowIdleMs;
  const limit = options.flowLimit ?? flowLimit;
  /** Flows, least recently used first. */
  const flows = new Map<number, Flow>();
  const frames = new FrameReader();
  const sweep = setInterval(() => {
    const before = performance.now() - idleMs;
    for (const [id, flow] of flows) if (flow.lastUsed < before) forget(id);
  }, idleMs / 4);
  sweep.unref();

  function flowOf(id: number): Flow {
    const known = flows.get(id);
    if (known !== undefined) {
      touch(id, known);
      return known;
    }
    const [oldest] = flows.keys();
    if (flows.size >= limit && oldest !== undefined) forget(oldest);
    const flow = { socket: open(id), lastUsed: performance.now() };
    flows.set(id, flow);
    return flow;
  }

  function open(id: number): UdpSocket {
    const socket = createSocket(isIPv6(options.address) ? 'udp6' : 'udp4');
    // The container refused the datagram or cannot be reached; as always with UDP, the client learns nothing.
    socket.on('error', () => undefined);
    socket.on('message', (payload, from) => {
      if (from.address !== options.address || from.port !== options.port) return;
      const flow = flows.get(id);
      if (flow?.socket !== socket) return;
      touch(id, flow);
      if (channel.writableLength < backlogBytes) channel.write(framed(flowHeader(id), payload));
    });
    return socket;
  }

  function touch(id: number, flow: Flow): void {
    flow.lastUsed = performance.now();
    flows.delete(id);
    flows.set(id, flow);
  }

  function forget(id: number): void {
    flows.get(id)?.socket.close();
    flows.delete(id);
  }

  channel.on('data', (piece: Buffer) => {
    for (const frame of frames.push(piece)) {
      const datagram = readDatagram(frame);
      if (datagram === undefined) continue;
      flowOf(datagram.flow).socket.send(
        datagram.payload,
        options.port,
        options.address,
        // A datagram that cannot be sent is lost.
        () => undefined,
      );
    }
  });
  channel.on('error', () => undefined);
  channel.on('end', () => channel.end());
  channel.on('close', () => {
    clearInterval(sweep);
    for (const id of [...flows.keys()]) forget(id);
  });
}
