/** `direct-streamlocal@openssh.com` and `direct-tcpip`: one channel to one socket of this machine. */
import { connect, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AcceptConnection, Connection, RejectConnection, ServerChannel } from 'ssh2';
import type { SshBackend } from './backend.ts';
import { ChannelWriter } from './channel-writer.ts';

/** How the API socket can be asked for without knowing where this agent keeps it. */
export const apiSocketAlias = 'docker.sock';

/** Other sockets of the agent by the names that a channel asks for; made when somebody first does. */
export type AgentSockets = Readonly<Record<string, () => Promise<string>>>;

/** Only for the login `api`: everything that reaches beyond one container. */
export function serveForwarding(
  connection: Connection,
  socket: Duplex,
  options: { apiSocketPath: string; backend: SshBackend; sockets?: AgentSockets },
): void {
  connection.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    const own = Object.hasOwn(options.sockets ?? {}, socketPath)
      ? options.sockets?.[socketPath]
      : undefined;
    if (own !== undefined)
      own().then(
        (path) => forward(accept, reject, socket, connect(path)),
        () => reject(),
      );
    else if (socketPath !== options.apiSocketPath && socketPath !== apiSocketAlias) reject();
    else forward(accept, reject, socket, connect(options.apiSocketPath));
  });
  connection.on('tcpip', (accept, reject, { destIP, destPort }) => {
    const address = destIP === 'localhost' ? '127.0.0.1' : destIP;
    // Addresses only: a name would be resolved here and could point anywhere.
    if (isIP(address) === 0 || !mayReach(address, options.backend)) reject();
    else forward(accept, reject, socket, connect(destPort, address));
  });
}

/** Published ports listen on the machine's loopback; anything else must be a container. */
function mayReach(address: string, backend: SshBackend): boolean {
  return address === '::1' || address.startsWith('127.') || backend.isContainerAddress(address);
}

function forward(
  accept: AcceptConnection<ServerChannel>,
  reject: RejectConnection,
  socket: Duplex,
  target: Socket,
): void {
  target.once('error', () => reject());
  target.once('connect', () => {
    const channel = accept();
    // Undefined when the connection ended while the target was being reached.
    if (channel === undefined) target.destroy();
    else join(channel, socket, target);
  });
}

function join(channel: ServerChannel, socket: Duplex, target: Socket): void {
  const writer = new ChannelWriter(channel, socket, () => target.destroy());
  // SSH has no word for why a stream broke: closing the channel is all that can be said.
  channel.on('error', () => target.destroy());
  target.on('error', () => channel.close());
  channel.pipe(target);
  void pump(writer, channel, target);
}

async function pump(writer: ChannelWriter, channel: ServerChannel, target: Socket): Promise<void> {
  try {
    for await (const chunk of target as AsyncIterable<Buffer>)
      if (!(await writer.write(chunk))) return;
    channel.end();
  } catch {
    // The target broke off: its error listener has closed the channel.
  } finally {
    // ssh2 closes the whole channel with its writing half, so nothing more can come from there.
    target.destroy();
  }
}
