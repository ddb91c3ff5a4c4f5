/** `direct-streamlocal@openssh.com` and `direct-tcpip`: one channel to one socket of this machine. */
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AcceptConnection, Connection, RejectConnection, ServerChannel } from 'ssh2';
import { parseUdpRelayName } from '../contract/udp-relay.ts';
import type { SshBackend } from './backend.ts';
import { ChannelWriter } from './channel-writer.ts';
import { relayDatagrams } from './udp-relay.ts';

/** How the API socket can be asked for without knowing where this agent keeps it. */
export const apiSocketAlias = 'docker.sock';

/** By the name that a `direct-streamlocal` channel asks for; what is in the agent and no socket. */
export type ChannelServices = Record<string, (channel: Duplex) => void>;

/** Other sockets of the agent by the names that a channel asks for; made when somebody first does. */
export type AgentSockets = Readonly<Record<string, () => Promise<string>>>;

interface ForwardingOptions {
  apiSocketPath: string;
  backend: SshBackend;
  services?: ChannelServices;
  sockets?: AgentSockets;
}

/** Only for the login `api`: everything that reaches beyond one container. */
export function serveForwarding(
  connection: Connection,
  socket: Duplex,
  options: ForwardingOptions,
): void {
  connection.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    const serve = serviceOf(socketPath, options);
    const path = socketOf(socketPath, options);
    if (serve !== undefined) acceptFor(serve, accept);
    else if (path === undefined) reject();
    else path.then((found) => forward(accept, reject, socket, { path: found }), reject);
  });
  connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
    const address = destIP === 'localhost' ? '127.0.0.1' : destIP;
    // Addresses only: a name would be resolved here and could point anywhere.
    if (isIP(address) === 0 || !mayReach(address, options.backend)) reject();
    else forward(accept, reject, socket, { host: address, port: destPort });
  });
}

function serviceOf(
  name: string,
  { backend, services = {} }: ForwardingOptions,
): ((channel: Duplex) => void) | undefined {
  const relay = parseUdpRelayName(name);
  if (relay !== undefined && isIP(relay.address) !== 0 && mayReach(relay.address, backend))
    return (channel) => relayDatagrams(channel, relay);
  return Object.hasOwn(services, name) ? services[name] : undefined;
}

function socketOf(
  name: string,
  { apiSocketPath, sockets = {} }: ForwardingOptions,
): Promise<string> | undefined {
  if (name === apiSocketPath || name === apiSocketAlias) return Promise.resolve(apiSocketPath);
  return Object.hasOwn(sockets, name) ? sockets[name]?.() : undefined;
}

function acceptFor(
  serve: (channel: Duplex) => void,
  accept: AcceptConnection<ServerChannel>,
): void {
  const channel = accept();
  // Undefined when the connection has ended meanwhile.
  if (channel !== undefined) serve(channel);
}

/** Published ports listen on the machine's loopback; anything else must be a container. */
function mayReach(address: string, backend: SshBackend): boolean {
  return address === '::1' || address.startsWith('127.') || backend.isContainerAddress(address);
}

function forward(
  accept: AcceptConnection<ServerChannel>,
  reject: RejectConnection,
  socket: Duplex,
  place: { path: string } | { host: string; port: number },
): void {
  const target = connect({ ...place, allowHalfOpen: true, noDelay: true });
  target.once('error', () => reject());
  target.once('connect', () => {
    const channel = accept();
    // Undefined when the connection ended while the target was being reached.
    if (channel === undefined) target.destroy();
    else join(channel, socket, target);
  });
}

/** Both directions, each with an end of its own: a client that has said all still hears the answer. */
function join(channel: ServerChannel, socket: Duplex, target: Socket): void {
  const writer = new ChannelWriter(channel, socket, () => target.destroy());
  let openDirections = 2;
  const ended = () => {
    openDirections -= 1;
    if (openDirections === 0) channel.close();
  };
  // SSH has no word for why a stream broke: closing the channel is all that can be said.
  channel.on('error', () => target.destroy());
  target.on('error', () => channel.close());
  channel.pipe(target);
  channel.once('end', ended);
  void pump(writer, channel, target, ended);
}

async function pump(
  writer: ChannelWriter,
  channel: ServerChannel,
  target: Socket,
  ended: () => void,
): Promise<void> {
  try {
    // The stream is not to be destroyed at its end: its other direction may still be in use.
    for await (const chunk of target.iterator({ destroyOnReturn: false }))
      if (!(await writer.write(chunk as Buffer))) return;
    // Not end(): ssh2's server closes the whole channel with it.
    channel.eof();
    ended();
  } catch {
    // The target broke off: its error listener has closed the channel.
  }
}
