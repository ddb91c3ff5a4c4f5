/**
 * Ports of the machine. While a port is published, a real socket of the agent holds it: binding shows whether another
 * program has the port, and the socket keeps others from taking it. No traffic reaches the socket, because
 * translation comes first, so the agent's end closes no port.
 */
import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { createServer } from 'node:net';
import type { PortBinding } from '../contract/container.ts';
import { portOwner } from '../contract/port-owner.ts';
import { CortenError, invalid } from '../errors.ts';
import { listenTo } from '../kernel/internet-socket.ts';
import { hasErrno } from '../kernel/libc.ts';
import { OutsidePorts, OutsideRefusal } from './outside-ports.ts';
import { everyAddress } from './ruleset.ts';

/** Range of ports for bindings that name none: the dynamic ports (RFC 6335) without the first, as in dockerd. */
const ephemeral = { first: 49153, last: 65535 };

export interface HeldPort {
  protocol: 'tcp' | 'udp';
  hostAddress: string;
  hostPort: number;
  /** Descriptor of the socket, for a forwarder, which keeps it open while the agent's copy is closed. */
  socketFd?: number;
  closeSocket(): void;
  release(): void;
}

type Socket = Pick<HeldPort, 'socketFd'> & { release(): void };

/** Takes a port of this machine. Throws the errors of listen(2) and bind(2). */
export type TakePort = (
  protocol: 'tcp' | 'udp',
  hostAddress: string,
  hostPort: number,
) => Promise<Socket>;

/** Takes a port with a socket whose descriptor is known; nothing accepts its connections. */
export const takeSocket: TakePort = async (protocol, hostAddress, hostPort) => {
  const socketFd = listenTo(protocol, hostAddress, hostPort);
  let open = true;
  const release = () => {
    if (open) closeSync(socketFd);
    open = false;
  };
  return { socketFd, release };
};

const takeHeld: TakePort = (protocol, hostAddress, hostPort) =>
  (protocol === 'tcp' ? listen : bind)(hostAddress, hostPort);

export interface PortTarget {
  containerId: string;
  containerAddress: string;
}

export interface HostPortsOptions {
  outside?: OutsidePorts;
  /** This machine runs on the user's computer, which may have addresses that this machine lacks. */
  isGuest?: boolean;
  /** That computer's ports are this machine's too, so that only that computer holds them. */
  holdsNone?: boolean;
  take?: TakePort;
}

export class HostPorts {
  readonly #outside: OutsidePorts;
  readonly #isGuest: boolean;
  readonly #holdsNone: boolean;
  readonly #takePort: TakePort;
  #next = ephemeral.first;

  constructor({
    outside = new OutsidePorts(),
    isGuest = false,
    holdsNone = false,
    take: takePort = takeHeld,
  }: HostPortsOptions = {}) {
    this.#takePort = takePort;
    this.#outside = outside;
    this.#isGuest = isGuest;
    this.#holdsNone = holdsNone;
  }

  /** Takes the requested port, the first free one of a range, or any. */
  async hold(binding: PortBinding, target: PortTarget): Promise<HeldPort> {
    const hostAddress = binding.hostAddress || everyAddress;
    if (hostAddress.includes(':') && !this.#isGuest)
      throw new CortenError(
        'not-implemented',
        `publishing on the IPv6 address ${hostAddress} is not supported; use an IPv4 address`,
      );
    let failure: unknown;
    for (const hostPort of this.#candidates(binding)) {
      try {
        return await this.#take({ ...binding, hostAddress, hostPort }, target);
      } catch (error) {
        if (error instanceof OutsideRefusal) {
          if (!error.taken) throw error;
          failure = takenOutside(hostAddress, hostPort, error);
        } else if (hasErrno(error, 'EADDRINUSE'))
          failure = taken(binding, hostAddress, hostPort, error);
        else throw unusable(hostAddress, hostPort, error);
      }
    }
    throw failure;
  }

  /**
   * Takes the port of a container that ran while the agent was stopped. Its translation works in any case, so a
   * program that took the port meanwhile keeps it.
   */
  async restore(
    port: { protocol: 'tcp' | 'udp'; hostAddress: string; hostPort: number; containerPort: number },
    target: PortTarget,
  ): Promise<HeldPort> {
    const here = await this.#takeHere(port).catch(() => nothingHeld);
    const closeOutside = this.#outside.restore({ ...port, ...target });
    return held(port, here, closeOutside);
  }

  async #take(
    port: { protocol: 'tcp' | 'udp'; hostAddress: string; hostPort: number; containerPort: number },
    target: PortTarget,
  ): Promise<HeldPort> {
    const here = await this.#takeHere(port);
    try {
      const { protocol, hostAddress, hostPort, containerPort } = port;
      const request = { protocol, hostAddress, hostPort, containerPort, ...target };
      return held(port, here, await this.#outside.open(request));
    } catch (error) {
      here.release();
      throw error;
    }
  }

  async #takeHere(port: {
    protocol: 'tcp' | 'udp';
    hostAddress: string;
    hostPort: number;
  }): Promise<Socket> {
    const { protocol, hostAddress, hostPort } = port;
    if (this.#holdsNone || hostAddress.includes(':')) return nothingHeld;
    try {
      return await this.#takePort(protocol, hostAddress, hostPort);
    } catch (error) {
      if (this.#isGuest && hasErrno(error, 'EADDRNOTAVAIL')) return nothingHeld;
      throw error;
    }
  }

  *#candidates(binding: PortBinding): Generator<number> {
    if (binding.hostPort) {
      const last = binding.hostPortEnd ?? binding.hostPort;
      for (let port = binding.hostPort; port <= last; port++) yield port;
      return;
    }
    // The search continues after the last port, so that a released port is not reused at once.
    const count = ephemeral.last - ephemeral.first + 1;
    for (let step = 0; step < count; step++) {
      const port = this.#next;
      this.#next = port === ephemeral.last ? ephemeral.first : port + 1;
      yield port;
    }
  }
}

const nothingHeld: Socket = { release: () => undefined };

function held(
  { protocol, hostAddress, hostPort }: Pick<HeldPort, 'protocol' | 'hostAddress' | 'hostPort'>,
  here: Socket,
  closeOutside: () => void,
): HeldPort {
  const release = () => {
    closeOutside();
    here.release();
  };
  const { socketFd } = here;
  return {
    protocol,
    hostAddress,
    hostPort,
    ...(socketFd !== undefined && { socketFd }),
    closeSocket: () => here.release(),
    release,
  };
}

function listen(hostAddress: string, hostPort: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // A connection arrives here only without translation (somebody flushed the rules): it is refused at once.
    const server = createServer((connection) => connection.destroy());
    server.once('error', reject);
    server.listen({ host: hostAddress, port: hostPort, exclusive: true }, () => {
      server.unref();
      resolve({ release: () => server.close() });
    });
  });
}

function bind(hostAddress: string, hostPort: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4' });
    socket.once('error', reject);
    socket.bind({ address: hostAddress, port: hostPort, exclusive: true }, () => {
      socket.unref();
      resolve({ release: () => socket.close() });
    });
  });
}

/**
 * Error of a port in use. dockerd answers with 500 and this message, which Testcontainers and others look for; hence
 * the kind `internal`.
 */
function taken(
  binding: PortBinding,
  hostAddress: string,
  hostPort: number,
  cause: unknown,
): CortenError {
  const owner = portOwner(binding.protocol, hostPort);
  const by = owner === undefined ? '' : ` by ${owner}`;
  return new CortenError(
    'internal',
    `Bind for ${hostAddress}:${hostPort} failed: port is already allocated${by}; ` +
      `stop what uses ${binding.protocol} port ${hostPort}, or publish on another port`,
    { cause },
  );
}

function takenOutside(hostAddress: string, hostPort: number, cause: OutsideRefusal): CortenError {
  return new CortenError(
    'internal',
    `Bind for ${hostAddress}:${hostPort} failed: port is already allocated: ${cause.message}`,
    { cause },
  );
}

function unusable(hostAddress: string, hostPort: number, cause: unknown): unknown {
  if (hasErrno(cause, 'EADDRNOTAVAIL'))
    return invalid(`this machine has no address ${hostAddress} to publish on`, cause);
  if (hasErrno(cause, 'EACCES'))
    return new CortenError(
      'forbidden',
      `not allowed to take port ${hostPort}: those below 1024 are root's; publish on another, or, as root, run: ` +
        `sysctl -w net.ipv4.ip_unprivileged_port_start=${hostPort}`,
      { cause },
    );
  return cause;
}
