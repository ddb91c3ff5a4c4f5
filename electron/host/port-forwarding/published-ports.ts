/**
 * Opens a machine's published ports on this computer. The agent sends the list over a channel that
 * is reopened whenever it breaks (agent/contract/outside-ports.ts); the result for each port goes
 * back to the agent and is shown in the UI.
 */
import type { ClientChannel } from 'ssh2';
import { FrameReader } from '../../../agent/contract/framing.ts';
import {
  type FromHost,
  frameOf,
  messageIn,
  type OutsideFailure,
  type OutsidePort,
  outsidePortsService,
  type ToHost,
} from '../../../agent/contract/outside-ports.ts';
import type { ForwardedPort } from '../../contract/forward.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';
import { keepService, type ServiceChannel } from '../ssh/service-channel.ts';
import { loopback } from './port-addresses.ts';
import { ListenFailed, type OpenPort, openTcpPort } from './tcp-port.ts';
import { openUdpPort } from './udp-port.ts';

export type PortsLink = Pick<SshLink, 'openTcp' | 'openStreamLocal'>;

export interface PublishedPortsOptions {
  /** Carries the connections of the ports. */
  link: PortsLink;
  /** Carries the agent's list of published ports. */
  services: ServiceLink;
  /**
   * True for a VM of this computer: a port that is taken here makes the container's start fail.
   * False for another computer, which has its ports itself; here they are on the loopback only.
   */
  isOwn: boolean;
  report(what: string, error: unknown): void;
  /** How often a port that was taken is tried again, since the program that has it may end. */
  retryMs?: number;
  /** The pause between attempts to reach the agent. */
  reconnectMs?: number;
}

interface Entry {
  port: OutsidePort;
  open?: OpenPort;
  failure?: OutsideFailure;
}

export class PublishedPorts {
  readonly #options: PublishedPortsOptions;
  readonly #entries = new Map<number, Entry>();
  readonly #watchers = new Set<() => void>();
  readonly #retry: NodeJS.Timeout;
  /** Changes are made one after the other, so that a port is closed before its next owner opens it. */
  #last: Promise<void> = Promise.resolve();
  readonly #service: ServiceChannel;
  #closed = false;
  #view: ForwardedPort[] = [];

  constructor(options: PublishedPortsOptions) {
    this.#options = options;
    this.#retry = setInterval(
      () => this.#inOrder(() => this.#retryFailed()),
      options.retryMs ?? 5000,
    );
    this.#retry.unref();
    this.#service = keepService({
      ...options,
      link: options.services,
      name: outsidePortsService,
      converse: (channel) => this.#converse(channel),
    });
  }

  /** Yields the ports now, then again at each change, until the signal aborts. */
  async *watch(signal: AbortSignal): AsyncGenerator<ForwardedPort[]> {
    let seen: ForwardedPort[] | undefined;
    let wake = () => {};
    const notice = () => wake();
    this.#watchers.add(notice);
    signal.addEventListener('abort', notice);
    try {
      while (!signal.aborted && !(this.#closed && seen === this.#view)) {
        if (seen === this.#view)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        else {
          seen = this.#view;
          yield seen;
        }
      }
    } finally {
      this.#watchers.delete(notice);
      signal.removeEventListener('abort', notice);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#retry);
    this.#service.close();
    await this.#inOrder(() => this.#reconcile([]));
    this.#show();
  }

  /** Open ports stay open when the channel breaks; the agent's next list corrects them. */
  #converse(channel: ClientChannel): void {
    const frames = new FrameReader();
    channel.on('data', (piece: Buffer) => {
      for (const frame of frames.push(piece)) {
        const message = messageIn<ToHost>(frame);
        if (message !== undefined) void this.#inOrder(() => this.#obey(message, channel));
      }
    });
    say(channel, { hello: { decides: this.#options.isOwn } });
  }

  async #obey(message: ToHost, channel: ClientChannel): Promise<void> {
    if (this.#closed) return;
    if ('all' in message) await this.#reconcile(message.all);
    else if ('close' in message) await this.#drop(message.close);
    else {
      const { open: port } = message;
      const { open, failure } = await this.#add(port);
      const isFailed = open === undefined && failure !== undefined;
      say(channel, isFailed ? { failed: port.id, failure } : { opened: port.id });
    }
  }

  /** A restarted agent numbers its ports anew, so ports are compared by address; equal ones stay open. */
  async #reconcile(ports: readonly OutsidePort[]): Promise<void> {
    const standing = new Map(
      [...this.#entries.values()].map((entry) => [keyOf(entry.port), entry]),
    );
    this.#entries.clear();
    for (const port of ports) {
      const entry = standing.get(keyOf(port));
      if (entry === undefined) continue;
      standing.delete(keyOf(port));
      this.#entries.set(port.id, { ...entry, port });
    }
    for (const entry of standing.values()) await entry.open?.close();
    for (const port of ports) if (!this.#entries.has(port.id)) await this.#add(port);
    this.#show();
  }

  async #add(port: OutsidePort): Promise<Entry> {
    const entry: Entry = { port };
    this.#entries.set(port.id, entry);
    await this.#open(entry);
    this.#show();
    return entry;
  }

  async #open(entry: Entry): Promise<void> {
    const { port } = entry;
    const holder = this.#holderOf(port);
    try {
      if (holder !== undefined) throw new ListenFailed(ownFailure(port, holder));
      const open = port.protocol === 'tcp' ? openTcpPort : openUdpPort;
      entry.open = await open(this.#options.link, this.#placeOf(port), port);
      entry.failure = entry.open.note;
    } catch (error) {
      entry.failure =
        error instanceof ListenFailed
          ? error.failure
          : { kind: 'other', cause: (error as Error).message, nextStep: 'try again' };
    }
  }

  async #drop(id: number): Promise<void> {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    await entry?.open?.close();
    this.#show();
  }

  async #retryFailed(): Promise<void> {
    const failed = [...this.#entries.values()].filter(({ open }) => open === undefined);
    for (const entry of failed) await this.#open(entry);
    if (failed.length > 0) this.#show();
  }

  #placeOf(port: OutsidePort): OutsidePort {
    return this.#options.isOwn ? port : { ...port, hostAddress: loopback };
  }

  /** Names the container of this machine that has the port, since the system would only name this program. */
  #holderOf(port: OutsidePort): OutsidePort | undefined {
    const wanted = this.#placeOf(port);
    return [...this.#entries.values()]
      .filter(({ open }) => open !== undefined)
      .map((entry) => this.#placeOf(entry.port))
      .find(
        ({ protocol, hostPort, hostAddress }) =>
          protocol === wanted.protocol &&
          hostPort === wanted.hostPort &&
          (hostAddress === wanted.hostAddress ||
            hostAddress === '0.0.0.0' ||
            wanted.hostAddress === '0.0.0.0'),
      );
  }

  #inOrder(change: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(change).catch((error) => this.#options.report('ports', error));
    return this.#last;
  }

  #show(): void {
    this.#view = [...this.#entries.values()].map(({ port, open, failure }) => ({
      containerId: port.containerId,
      protocol: port.protocol,
      hostAddress: this.#placeOf(port).hostAddress,
      hostPort: port.hostPort,
      containerPort: port.containerPort,
      status: open === undefined ? 'failed' : 'open',
      cause: failure?.cause,
      nextStep: failure?.nextStep,
    }));
    for (const notice of this.#watchers) notice();
  }
}

function say(channel: ClientChannel, message: FromHost): void {
  channel.write(frameOf(message));
}

function keyOf({ id: _, ...port }: OutsidePort): string {
  return JSON.stringify(Object.entries(port).sort());
}

function ownFailure(port: OutsidePort, holder: OutsidePort): OutsideFailure {
  return {
    kind: 'taken',
    cause: `container ${holder.containerId.slice(0, 12)} has ${port.protocol} port ${port.hostPort} of this computer`,
    nextStep: 'stop it, or publish on another port',
  };
}
