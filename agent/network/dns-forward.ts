/** Passes a question on to the machine's name servers, over the transport it came by. */
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';

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

/** Over TCP each message follows its length in two bytes (RFC 1035, 4.2.2). */
export function framed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}

export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Buffer[] {
    this.#pending = Buffer.concat([this.#pending, piece]);
    const messages: Buffer[] = [];
    while (this.#pending.length >= 2) {
      const end = 2 + this.#pending.readUInt16BE(0);
      if (this.#pending.length < end) break;
      messages.push(this.#pending.subarray(2, end));
      this.#pending = this.#pending.subarray(end);
    }
    return messages;
  }
}
