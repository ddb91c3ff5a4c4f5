/** How to reach a machine's agent, its host key, and the client key for the login. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface SshEndpoint {
  /** Opens a stream to the agent's SSH server. A failure may also come later, as the stream's error. */
  dial(): Duplex | Promise<Duplex>;
  /** The machine's host key in the format of its `.pub` file. Any other key is refused. */
  hostPublicKey: string;
  clientPrivateKey: string;
}

export function dialSocket(place: { path: string } | { host: string; port: number }) {
  return () => ('path' in place ? connect(place.path) : connect({ ...place, noDelay: true }));
}
