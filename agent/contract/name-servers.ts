/**
 * Asks name servers with a question as it is: the agent for its containers, and the host for the machine
 * (dns-service.ts). The first server that answers is believed, whatever it says.
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { FrameReader, framed } from './framing.ts';

export interface NameServer {
  address: string;
  port: number;
}

export interface Question {
  message: Buffer;
  /** `whole`: by UDP, and an answer that was cut for it is asked for again by TCP. */
  transport: 'udp' | 'tcp' | 'whole';
  /** Of each server; then the next one is asked. */
  timeoutMs: number;
}

const flagTruncated = 0x0200;

/** Undefined: nobody answered. */
export async function askServers(
  question: Question,
  servers: readonly NameServer[],
): Promise<Buffer | undefined> {
  for (const server of servers) {
    const answer = await askServer(question, server);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

async function askServer(question: Question, server: NameServer): Promise<Buffer | undefined> {
  if (question.transport === 'tcp') return askTcp(question, server);
  const answer = await askUdp(question, server);
  const isCut = answer !== undefined && (answer.readUInt16BE(2) & flagTruncated) !== 0;
  return isCut && question.transport === 'whole'
    ? ((await askTcp(question, server)) ?? answer)
    : answer;
}

function askUdp(
  { message, timeoutMs }: Question,
  { address, port }: NameServer,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    // One of its own for each question: a fresh random port each time (RFC 5452).
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const finish = (answer: Buffer | undefined) => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    // Refused or unreachable counts as silence: the next server may know.
    socket.on('error', () => finish(undefined));
    socket.on('message', (answer) => {
      // Connected, so only the server can answer; the id still guards against its late answers.
      if (answer.length >= 12 && answer.readUInt16BE(0) === message.readUInt16BE(0)) finish(answer);
    });
    socket.connect(port, address, () => socket.send(message));
  });
}

function askTcp(
  { message, timeoutMs }: Question,
  { address, port }: NameServer,
): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const finish = (answer: Buffer | undefined) => {
      socket.destroy();
      resolve(answer);
    };
    const frames = new FrameReader();
    socket.setTimeout(timeoutMs, () => finish(undefined));
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
