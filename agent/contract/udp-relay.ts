/**
 * UDP through SSH, which has no word for it. The host opens a channel to the name
 * `udp:ADDRESS:PORT`, one for each published port, and both ends send frames (framing.ts): four
 * bytes that number the flow, then the datagram. The host numbers flows, one for each client;
 * the agent opens a socket at a number's first datagram and forgets it when nothing comes or goes for
 * a while. Nothing is said about a flow's end: its next datagram begins it anew.
 */

/** With the longest datagram of IPv4 (65,507 bytes) still a frame. */
const flowBytes = 4;

export const udpRelayName = (address: string, port: number) => `udp:${address}:${port}`;

/** Undefined for other names. */
export function parseUdpRelayName(name: string): { address: string; port: number } | undefined {
  const match = /^udp:([0-9a-fA-F.:]+):(\d{1,5})$/.exec(name);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port < 1 || port > 0xffff) return undefined;
  return { address: match[1], port };
}

export function flowHeader(flow: number): Buffer {
  const header = Buffer.alloc(flowBytes);
  header.writeUInt32BE(flow);
  return header;
}

/** Undefined for a frame that is too short to be one. */
export function readDatagram(frame: Buffer): { flow: number; payload: Buffer } | undefined {
  if (frame.length < flowBytes) return undefined;
  return { flow: frame.readUInt32BE(), payload: frame.subarray(flowBytes) };
}
