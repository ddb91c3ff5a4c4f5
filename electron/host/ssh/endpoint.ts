/** How to reach a machine's agent, who it must be, and the key that opens it. */
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface SshEndpoint {
  /** A fresh line to the agent's SSH server; its errors may also come later, as the stream's. */
  dial(): Duplex | Promise<Duplex>;
  /** The machine's host key as its `.pub` file has it; any other key is refused. */
  hostPublicKey: string;
  clientPrivateKey: string;
}

export function dialSocket(place: { path: string } | { host: string; port: number }) {
  return () => ('path' in place ? connect(place.path) : connect({ ...place, noDelay: true }));
}
