/**
 * Published ports on the computer that this machine runs on (contract/outside-ports.ts): each connected host gets the
 * published ports, and a start waits for its answers. It fails when a host that decides cannot open the port.
 */
import type { Duplex } from 'node:stream';
import { FrameReader } from '../contract/framing.ts';
import {
  type FromHost,
  frameOf,
  messageIn,
  type OutsideFailure,
  type OutsidePort,
  type ToHost,
} from '../contract/outside-ports.ts';
import { CortenError } from '../errors.ts';

/** A host that does not answer must not block the start of containers. */
const answerTimeoutMs = 5000;

export type OutsideRequest = Omit<OutsidePort, 'id'>;

interface Host {
  decides: boolean;
  send(message: ToHost): void;
  /** Callbacks by port ID; `undefined` means that the port is open or that the host is gone. */
  waiting: Map<number, (failure: OutsideFailure | undefined) => void>;
}

export class OutsidePorts {
  readonly #hosts = new Set<Host>();
  readonly #ports = new Map<number, OutsidePort>();
  readonly #answerTimeoutMs: number;
  #lastId = 0;

  constructor(options: { answerTimeoutMs?: number } = {}) {
    this.#answerTimeoutMs = options.answerTimeoutMs ?? answerTimeoutMs;
  }

  /** Opens a port. Throws OutsideRefusal when a host that decides cannot open it. Returns a function that closes it. */
  async open(request: OutsideRequest): Promise<() => void> {
    const port = this.#remember(request);
    const answers = [...this.#hosts].map((host) => this.#tell(host, port));
    const failure = (await Promise.all(answers)).find((answer) => answer !== undefined);
    if (failure === undefined) return () => this.#close(port.id);
    this.#close(port.id);
    throw new OutsideRefusal(failure);
  }

  /** Opens a port of a container that runs already, and goes on running whatever a host answers. */
  restore(request: OutsideRequest): () => void {
    const port = this.#remember(request);
    for (const host of this.#hosts) host.send({ open: port });
    return () => this.#close(port.id);
  }

  /** Uses a host's channel until it closes. */
  serve(channel: Duplex): void {
    const frames = new FrameReader();
    const host: Host = {
      decides: false,
      send: (message) => void channel.write(frameOf(message)),
      waiting: new Map(),
    };
    channel.on('data', (piece: Buffer) => {
      for (const frame of frames.push(piece)) {
        const message = messageIn<FromHost>(frame);
        if (message !== undefined) this.#hear(host, message);
      }
    });
    channel.on('error', () => undefined);
    channel.on('end', () => channel.end());
    channel.on('close', () => {
      this.#hosts.delete(host);
      for (const answer of host.waiting.values()) answer(undefined);
    });
  }

  #hear(host: Host, message: FromHost): void {
    if ('hello' in message) {
      host.decides = message.hello.decides;
      this.#hosts.add(host);
      host.send({ all: [...this.#ports.values()] });
    } else if ('opened' in message) host.waiting.get(message.opened)?.(undefined);
    else if ('failed' in message) host.waiting.get(message.failed)?.(message.failure);
  }

  #tell(host: Host, port: OutsidePort): Promise<OutsideFailure | undefined> {
    return new Promise((resolve) => {
      const answer = (failure: OutsideFailure | undefined) => {
        clearTimeout(timer);
        host.waiting.delete(port.id);
        resolve(host.decides ? failure : undefined);
      };
      const timer = setTimeout(() => answer(undefined), this.#answerTimeoutMs);
      host.waiting.set(port.id, answer);
      host.send({ open: port });
    });
  }

  #remember(request: OutsideRequest): OutsidePort {
    this.#lastId += 1;
    const port = { id: this.#lastId, ...request };
    this.#ports.set(port.id, port);
    return port;
  }

  #close(id: number): void {
    if (!this.#ports.delete(id)) return;
    for (const host of this.#hosts) host.send({ close: id });
  }
}

/** Uses dockerd's message and status (500) for a port in use, as ports.ts does. */
export class OutsideRefusal extends CortenError {
  readonly taken: boolean;

  constructor({ kind, cause, nextStep }: OutsideFailure) {
    super(kind === 'taken' ? 'internal' : 'unavailable', `${cause}; ${nextStep}`);
    this.taken = kind === 'taken';
  }
}
