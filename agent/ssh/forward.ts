/** Serves `direct-streamlocal@openssh.com` and `direct-tcpip`: each channel connects to one socket of this machine. */
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AcceptConnection, Connection, RejectConnection, ServerChannel } from 'ssh2';
import { parseUdpRelayName } from '../contract/udp-relay.ts';
import type { SshBackend } from './backend.ts';
import { ChannelWriter } from './channel-writer.ts';
import { relayDatagrams } from './udp-relay.ts';

/** Name for the API socket, whose path a client need not know. */
export const apiSocketAlias = 'docker.sock';

/** Services inside the agent by the name that a `direct-streamlocal` channel requests. */
export type ChannelServices = Record<string, (channel: Duplex) => void>;

/** Further sockets of the agent by the name that a channel requests, created on demand. */
export type AgentSockets = Readonly<Record<string, () => Promise<string>>>;

interface ForwardingOptions {
  apiSocketPath: string;
  backend: SshBackend;
  services?: ChannelServices;
  sockets?: AgentSockets;
}

/** Serves the login `api` alone, which may reach more than one container. */
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
    // Only addresses are accepted: a name would be resolved here and could mean any address.
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
  // The channel is `undefined` when the connection has ended meanwhile.
  if (channel !== undefined) serve(channel);
}

/** Whether the target is allowed: the loopback, on which published ports listen, or a container. */
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
    // The channel is `undefined` when the connection has ended meanwhile.
    if (channel === undefined) target.destroy();
    else join(channel, socket, target);
  });
}

/** Copies both directions, each with its own end: a client that has sent everything still gets the answer. */
function join(channel: ServerChannel, socket: Duplex, target: Socket): void {
  const writer = new ChannelWriter(channel, socket, () => target.destroy());
  let openDirections = 2;
  const ended = () => {
    openDirections -= 1;
    if (openDirections === 0) channel.close();
  };
  // SSH cannot express why a stream broke, so the channel is only closed.
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
    // The stream must not be destroyed at its end, because its other direction may still be used.
    for await (const chunk of target.iterator({ destroyOnReturn: false }))
      if (!(await writer.write(chunk as Buffer))) return;
    // end() would close the whole channel in ssh2's server.
    channel.eof();
    ended();
  } catch {
    // The target's connection broke, and its error listener has closed the channel.
  }
}
