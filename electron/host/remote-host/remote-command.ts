/** Runs one command over SSH. Its end is recorded at once, because it may come before anything waits for it. */
import type { Client, ClientChannel } from 'ssh2';

export interface RemoteCommand {
  channel: ClientChannel;
  /** Resolves with its exit status once its streams are closed; -1 without a status. */
  ended: Promise<number>;
}

export function openCommand(client: Client, line: string): Promise<RemoteCommand> {
  return new Promise((resolve, reject) => {
    client.exec(line, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      // A command that ends before it has read its input explains that by its exit status.
      channel.on('error', () => {});
      let code = -1;
      channel.once('exit', (status: number | null) => {
        code = status ?? -1;
      });
      const ended = new Promise<number>((end) => channel.once('close', () => end(code)));
      resolve({ channel, ended });
    });
  });
}
