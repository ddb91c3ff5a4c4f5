/** One command over SSH: its streams, and its end, which may come before anybody can wait for it. */
import type { Client, ClientChannel } from 'ssh2';

export interface RemoteCommand {
  channel: ClientChannel;
  /** Its status, once its streams are closed; -1 where it has none. */
  ended: Promise<number>;
}

export function openCommand(client: Client, line: string): Promise<RemoteCommand> {
  return new Promise((resolve, reject) => {
    client.exec(line, (error, channel) => {
      if (error) {
        reject(error);
        return;
      }
      // A command that ends before it has read everything says by its status what is wrong.
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
