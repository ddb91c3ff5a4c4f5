/** Asks name servers with a question as it is; the first that answers is believed. */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { FrameReader, framed } from '../../../agent/contract/framing.ts';

export interface NameServer {
  address: string;
  port: number;
}

const answerTimeoutMs = 2000;
const flagTruncated = 0x0200;

/** Whole: an answer that was cut for UDP is asked for again by TCP. Undefined: nobody answered. */
export async function askServers(
  message: Buffer,
  servers: readonly NameServer[],
): Promise<Buffer | undefined> {
  for (const server of servers) {
    const answer = await askUdp(message, server);
    if (answer === undefined) continue;
    const isCut = (answer.readUInt16BE(2) & flagTruncated) !== 0;
    return isCut ? ((await askTcp(message, server)) ?? answer) : answer;
  }
  return undefined;
}

function askUdp(message: Buffer, { address, port }: NameServer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    // One of its own for each question: a fresh random port each time (RFC 5452).
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), answerTimeoutMs);
    // Refused or unreachable counts as silence: the next server may know.
    socket.on('error', () => finish(undefined));
    socket.on('message', (answer) => {
      // Connected, so only the server can answer; the id still guards against its late answers.
      if (answer.length >= 12 && answer.readUInt16BE(0) === message.readUInt16BE(0)) finish(answer);
    });
    socket.connect(port, address, () => socket.send(message));
  });
}

function askTcp(message: Buffer, { address, port }: NameServer): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (answer: Buffer | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    const frames = new FrameReader();
    socket.setTimeout(answerTimeoutMs, () => finish(undefined));
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.on('data', (piece: Buffer) => {
      const [answer] = frames.push(piece);
      if (answer !== undefined) finish(answer);
    });
    socket.write(framed(message));
  });
}
