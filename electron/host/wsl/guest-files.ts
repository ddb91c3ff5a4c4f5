/** What the host gives the machine of its own: keys, name, the agent's options. One small tar. */
import { buffer } from 'node:stream/consumers';
import tar from 'tar-stream';
import type { GuestKeys } from '../virtual-machine/keys.ts';

export interface GuestFacts {
  hostname: string;
  /** For the agent, beside its directories. */
  agentArguments: readonly string[];
}

/** Paths below `/`; what the agent finds in its `ssh` folder it does not make (agent/ssh/keys.ts). */
export function guestFiles(keys: GuestKeys, facts: GuestFacts): Promise<Buffer> {
  const pack = tar.pack();
  const file = (name: string, mode: number, text: string) =>
    pack.entry({ name, mode, uid: 0, gid: 0, mtime: new Date(0) }, text);
  file('var/lib/corten/ssh/host_ed25519', 0o600, keys.host.private);
  file('var/lib/corten/ssh/host_ed25519.pub', 0o644, `${keys.host.public}\n`);
  file('var/lib/corten/ssh/authorized_keys', 0o600, `${keys.client.public}\n`);
  file('etc/hostname', 0o644, `${facts.hostname}\n`);
  // One a line: the script that reads them has no JSON.
  file(
    'etc/corten/agent-arguments',
    0o644,
    facts.agentArguments.map((each) => `${each}\n`).join(''),
  );
  pack.finalize();
  return buffer(pack);
}
