/** Makes the small tar of files that the app writes into the machine: keys, host name, the agent's options. */
import { buffer } from 'node:stream/consumers';
import tar from 'tar-stream';
import type { GuestKeys } from '../virtual-machine/keys.ts';

export interface GuestFacts {
  hostname: string;
  /** Further options of the agent. */
  agentArguments: readonly string[];
}

/** Paths below `/`. The agent uses the keys that it finds in its `ssh` directory (agent/ssh/keys.ts). */
export function guestFiles(keys: GuestKeys, facts: GuestFacts): Promise<Buffer> {
  const pack = tar.pack();
  const file = (name: string, mode: number, text: string) =>
    pack.entry({ name, mode, uid: 0, gid: 0, mtime: new Date(0) }, text);
  file('var/lib/corten/ssh/host_ed25519', 0o600, keys.host.private);
  file('var/lib/corten/ssh/host_ed25519.pub', 0o644, `${keys.host.public}\n`);
  file('var/lib/corten/ssh/authorized_keys', 0o600, `${keys.client.public}\n`);
  file('etc/hostname', 0o644, `${facts.hostname}\n`);
  // There is one option a line, because a shell script reads them.
  file(
    'etc/corten/agent-arguments',
    0o644,
    facts.agentArguments.map((each) => `${each}\n`).join(''),
  );
  pack.finalize();
  return buffer(pack);
}
