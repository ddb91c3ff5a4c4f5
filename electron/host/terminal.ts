/**
 * One terminal: its own SSH connection, so that another terminal's flood never stands before its
 * echo, with a shell on a pty in the container.
 */
import type { Client, ClientChannel } from 'ssh2';
import type { DuplexChannels, TerminalRequest } from '../contract/bridge.ts';
import type { HostDuplex } from '../contract/host-channels.ts';
import { openConnection } from './ssh/connection.ts';
import type { SshEndpoint } from './ssh/endpoint.ts';

type ToHost = DuplexChannels['terminal.open']['toHost'];
type ToRenderer = DuplexChannels['terminal.open']['toRenderer'];

/**
 * How much may be on its way to the screen undrawn. xterm.js parses some 20 MB/s, so this is under
 * half a frame of work standing before another terminal's echo, and keeps the line full all the same.
 */
const ackWindowBytes = 128 * 1024;

/** A paste that the shell does not take; beyond this it is a mistake, and memory is not for it. */
const longestInputBytes = 16 * 1024 * 1024;

export async function openTerminal(
  endpoint: SshEndpoint,
  request: TerminalRequest,
  emit: (message: ToRenderer) => void,
): Promise<HostDuplex<ToHost>> {
  const client = await openConnection(endpoint, request.container);
  // The exit status may come together with the channel, so everything is wired in the callback.
  return new Promise((resolve, reject) => {
    const { rows, columns: cols, term } = request;
    client.shell({ rows, cols, term, width: 0, height: 0 }, (error, channel) => {
      if (error) {
        client.end();
        reject(error);
      } else resolve(joined(client, channel, emit));
    });
  });
}

function joined(
  client: Client,
  channel: ClientChannel,
  emit: (message: ToRenderer) => void,
): HostDuplex<ToHost> {
  let unackedBytes = 0;
  let exit: { code: number | undefined; signal?: string } | undefined;

  function forward(data: Buffer): void {
    unackedBytes += data.length;
    if (unackedBytes > ackWindowBytes) channel.pause();
    emit({ data });
  }
  channel.on('data', forward);
  // Only the server's own words come here: what it says when no shell could be started.
  channel.stderr.on('data', forward);
  channel.on('exit', (code: number | null, signal?: string) => {
    exit = { code: code ?? undefined, signal };
  });
  // The connection's close says what happened; a write into a closed channel adds nothing.
  channel.on('error', () => {});

  const ended = new Promise<void>((resolve, reject) => {
    channel.once('close', () => {
      client.end();
      if (exit === undefined) reject(new TerminalLost());
      else {
        emit({ exit });
        resolve();
      }
    });
  });

  return {
    receive(message) {
      if ('data' in message) {
        channel.write(message.data);
        if (channel.writableLength > longestInputBytes) channel.close();
      } else if ('resize' in message) {
        channel.setWindow(message.resize.rows, message.resize.columns, 0, 0);
      } else {
        unackedBytes = Math.max(0, unackedBytes - message.ack);
        if (unackedBytes <= ackWindowBytes) channel.resume();
      }
    },
    close() {
      channel.close();
      // Without this, a paused channel never ends, and its close would wait for that.
      channel.resume();
      client.end();
    },
    ended,
  };
}

class TerminalLost extends Error {
  constructor() {
    super('The terminal lost its connection to the container. Open it again.');
    this.name = 'TerminalLost';
  }
}
