/** A published TCP port: a listener on this computer, each connection one channel to the container. */
import { createServer, type Server, type Socket } from 'node:net';
import type { OutsideFailure } from '../../../agent/contract/outside-ports.ts';
import type { SshLink } from '../ssh/link.ts';
import { reset, splice } from '../ssh/splice.ts';
import { explainListen, type PortPlace } from './listen-failure.ts';
import { addressesOf } from './port-addresses.ts';

export interface PortTarget {
  containerAddress: string;
  containerPort: number;
}

export interface OpenPort {
  /** What of it could not be had, although the port is open. */
  note?: OutsideFailure;
  close(): Promise<void>;
}

export class ListenFailed extends Error {
  readonly failure: OutsideFailure;

  constructor(failure: OutsideFailure) {
    super(`${failure.cause}; ${failure.nextStep}`);
    this.name = 'ListenFailed';
    this.failure = failure;
  }
}

/** Many clients at once: node's 511 refuses the rest where the kernel would take them. */
const backlogConnections = 4096;

/** Throws ListenFailed. */
export async function openTcpPort(
  link: Pick<SshLink, 'openTcp'>,
  place: PortPlace,
  target: PortTarget,
): Promise<OpenPort> {
  const sockets = new Set<Socket>();
  const accept = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    link.openTcp(target.containerAddress, target.containerPort).then(
      (channel) => (socket.destroyed ? channel.close() : splice(socket, channel)),
      // Nobody listens in the container, or the machine is away: as from a closed port.
      () => reset(socket),
    );
  };
  const [needed, further] = addressesOf(place.hostAddress);
  const servers = [await listen({ ...place, hostAddress: needed }, accept)];
  let note: OutsideFailure | undefined;
  if (further !== undefined) {
    await listen({ ...place, hostAddress: further }, accept).then(
      (server) => servers.push(server),
      (error: ListenFailed) => {
        note = error.failure.kind === 'taken' ? onlyIpv6(error.failure) : undefined;
      },
    );
  }
  return {
    note,
    close: async () => {
      const closed = servers.map(
        (server) => new Promise<void>((done) => server.close(() => done())),
      );
      for (const socket of sockets) reset(socket);
      await Promise.all(closed);
    },
  };
}

async function listen(place: PortPlace, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, accept);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(
        {
          host: place.hostAddress,
          port: place.hostPort,
          ipv6Only: true,
          exclusive: true,
          backlog: backlogConnections,
        },
        resolve,
      );
    });
  } catch (error) {
    throw new ListenFailed(await explainListen(place, error as NodeJS.ErrnoException));
  }
  // One connection that fails at the door (no descriptor left) must not end the others.
  server.removeAllListeners('error').on('error', () => undefined);
  return server;
}

const onlyIpv6 = ({ kind, cause, nextStep }: OutsideFailure): OutsideFailure => ({
  kind,
  cause: `${cause} on IPv6; on IPv4 it is open`,
  nextStep,
});
