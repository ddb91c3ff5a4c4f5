/**
 * One conversation with rtnetlink (rtnetlink(7)) over a socket that somebody else opened: requests
 * that are acknowledged, and dumps. The kernel executes a request within send(2) and answers in
 * order, so several requests travel in one datagram and cost one exchange.
 */
import { KernelError } from '../kernel/libc.ts';
import { receiveNetlink, sendNetlink, sendNetlinkInBackground } from '../kernel/netlink.ts';
import {
  decodeAck,
  decodeMessages,
  encodeMessage,
  Flag,
  type Message,
  MessageType,
} from './netlink-message.ts';

/** A request the kernel refused: errno as in every KernelError, and the kernel's sentence if any. */
export class NetlinkError extends KernelError {
  readonly hint: string | undefined;

  constructor(call: string, errno: number, subject: string, hint: string | undefined) {
    super(call, errno, hint === undefined ? subject : `${subject} (${hint})`);
    this.name = 'NetlinkError';
    this.hint = hint;
  }
}

export interface Request {
  type: number;
  flags?: number;
  body: Buffer;
  /** What is asked and of what, for the error only. */
  verb: string;
  subject: string;
  /** errno names that mean the wish is already fulfilled. */
  accept?: readonly string[];
}

export class Rtnetlink {
  readonly fd: number;
  #sequence = 1;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Sends all requests at once and throws for the first that failed; the others are still done. */
  execute(...requests: Request[]): void {
    const first = this.#sequence;
    sendNetlink(this.fd, this.#encode(requests));
    this.#acknowledge(first, requests);
  }

  /**
   * The same from another thread, for requests that take the kernel long. Until it resolves, this
   * conversation must not be used for anything else.
   */
  async executeInBackground(...requests: Request[]): Promise<void> {
    const first = this.#sequence;
    await sendNetlinkInBackground(this.fd, this.#encode(requests));
    this.#acknowledge(first, requests);
  }

  #encode(requests: readonly Request[]): Buffer {
    return Buffer.concat(
      requests.map((request) =>
        encodeMessage(
          request.type,
          Flag.request | Flag.ack | (request.flags ?? 0),
          this.#sequence++,
          request.body,
        ),
      ),
    );
  }

  #acknowledge(first: number, requests: readonly Request[]): void {
    let failure: NetlinkError | undefined;
    for (let done = 0; done < requests.length; ) {
      for (const message of this.#answers(first)) {
        if (message.type !== MessageType.error) continue;
        const request = requests[message.sequence - first];
        done++;
        if (request !== undefined) failure ??= refusal(request, message);
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** One object, such as a link by name. Undefined when the kernel knows no such thing. */
  get(request: Request): Message | undefined {
    const sequence = this.#sequence++;
    sendNetlink(this.fd, encodeMessage(request.type, Flag.request, sequence, request.body));
    for (;;) {
      for (const message of this.#answers(sequence)) {
        if (message.type !== MessageType.error) return message;
        const failure = refusal(request, message);
        if (failure !== undefined) throw failure;
        return undefined;
      }
    }
  }

  /** Every object of a kind. */
  dump(request: Request): Message[] {
    const sequence = this.#sequence++;
    sendNetlink(
      this.fd,
      encodeMessage(request.type, Flag.request | Flag.dump, sequence, request.body),
    );
    const found: Message[] = [];
    for (;;) {
      for (const message of this.#answers(sequence)) {
        if (message.type === MessageType.done) return found;
        if (message.type === MessageType.error) {
          const failure = refusal(request, message);
          if (failure !== undefined) throw failure;
          return found;
        }
        found.push(message);
      }
    }
  }

  /** One datagram's messages; answers to an earlier request that was given up are dropped. */
  #answers(firstSequence: number): Message[] {
    return [...decodeMessages(receiveNetlink(this.fd))].filter(
      (message) => message.sequence >= firstSequence,
    );
  }
}

function refusal(request: Request, message: Message): NetlinkError | undefined {
  const { errno, hint } = decodeAck(message);
  if (errno === 0) return undefined;
  const error = new NetlinkError(request.verb, errno, request.subject, hint);
  return request.accept?.includes(error.code) ? undefined : error;
}
