/** Where a machine's agent listens, who it must be, and the key that opens it. */
import { connect, type Socket } from 'node:net';

export interface SshEndpoint {
  place: { path: string } | { host: string; port: number };
  /** The machine's host key as its `.pub` file has it; any other key is refused. */
  hostPublicKey: string;
  clientPrivateKey: string;
}

export function dial({ place }: SshEndpoint): Socket {
  return 'path' in place ? connect(place.path) : connect({ ...place, noDelay: true });
}
