/**
 * Requests to rtnetlink (rtnetlink(7)) over a given socket: acknowledged requests and dumps. The kernel executes a
 * request within send(2) and answers in order, so several requests in one datagram cost one exchange.
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

/** A refused request, with errno as in every KernelError and the kernel's message, if any. */
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
  /** Verb and subject of the error message. */
  verb: string;
  subject: string;
  /** Names of errno that mean that the wanted state exists already. */
  accept?: readonly string[];
}

export class Rtnetlink {
  readonly fd: number;
  #sequence = 1;

  constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Sends all requests at once and throws NetlinkError for the first that failed; the others are executed all the
   * same.
   */
  execute(...requests: Request[]): void {
    const first = this.#sequence;
    sendNetlink(this.fd, this.#encode(requests));
    this.#acknowledge(first, requests);
  }

  /**
   * Does the same on another thread, for requests that take the kernel long. This object must not be used until it
   * resolves.
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

  /** Reads one object, such as a link by name; `undefined` when there is none. */
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

  /** Reads all objects of a kind. */
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

  /** Messages of one datagram; late answers to an earlier request are dropped. */
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
