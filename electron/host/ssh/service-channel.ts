/** Keeps a channel to one of the agent's services open, and reopens it whenever it breaks. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientChannel } from 'ssh2';
import type { ServiceLink } from './link.ts';

export interface ServiceOptions {
  link: ServiceLink;
  name: string;
  /** Called with each new channel. It must not close the channel, which `close` of the service does. */
  converse(channel: ClientChannel): void;
  /** The pause between attempts to reach the agent. */
  reconnectMs?: number;
}

export interface ServiceChannel {
  close(): void;
}

export function keepService(options: ServiceOptions): ServiceChannel {
  const { link, name, converse, reconnectMs = 500 } = options;
  const over = new AbortController();
  let current: ClientChannel | undefined;

  async function follow(): Promise<void> {
    while (!over.signal.aborted) {
      try {
        const channel = await link.openStreamLocal(name);
        const closed = new Promise((resolve) => channel.once('close', resolve));
        channel.on('error', () => undefined);
        current = channel;
        if (over.signal.aborted) channel.close();
        else converse(channel);
        // A channel without a reader never ends, and its close waits for the end.
        channel.resume();
        await closed;
      } catch {
        // The link shows the lost connection in the UI; here it is only tried again.
      }
      await sleep(reconnectMs, undefined, { ref: false, signal: over.signal }).catch(() => {});
    }
  }

  void follow();
  return {
    close: () => {
      over.abort();
      current?.close();
    },
  };
}
