/** Passes a question on to the machine's name servers, over the transport it came by. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { FrameReader, framed } from '../contract/framing.ts';

export interface Upstream {
  address: string;
  port: number;
}

const answerTimeoutMs = 3000;

/** The first server's answer; the next one is asked when it is silent. Undefined: nobody answered. */
export async function forward(
  message: Buffer,
  transport: 'udp' | 'tcp',
  upstreams: readonly Upstream[],
): Promise<Buffer | undefined> {
  for (const upstream of upstreams) {
    const answer = await (transport === 'udp'
      ? askUdp(message, upstream)
      : askTcp(message, upstream));
    if (answer !== undefined) return answer;
  }
  return undefined;
}

/** A socket of its own for each question: a fresh random port each time (RFC 5452). */
function askUdp(message: Buffer, upstream: Upstream): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
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
    socket.connect(upstream.port, upstream.address, () => socket.send(message));
  });
}

function askTcp(message: Buffer, upstream: Upstream): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: upstream.address, port: upstream.port });
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
    // No half-close: some servers take it for the end of the conversation.
    socket.write(framed(message));
  });
}
