/** Listens on a published TCP port; each connection is one SSH channel to the container. */
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
  /** Why one of the two addresses could not be listened on, although the port is open on the other. */
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

/** The backlog for many clients at once; with node's 511 further ones would be refused. */
const backlogConnections = 4096;

/** Resolves once it listens. Rejects with ListenFailed. */
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
      // Nothing listens in the container, or the machine is unreachable: the client sees a reset.
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
  // A failed accept(2), such as for lack of descriptors, must not end the other connections.
  server.removeAllListeners('error').on('error', () => undefined);
  return server;
}

const onlyIpv6 = ({ kind, cause, nextStep }: OutsideFailure): OutsideFailure => ({
  kind,
  cause: `${cause} on IPv6; on IPv4 it is open`,
  nextStep,
});
