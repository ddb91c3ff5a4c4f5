/** Writes the seed disk, from which a guest reads its keys and settings at boot (agent/contract/machine-seed.ts). */
import { writeFileSync } from 'node:fs';
import { type MachineSeed, seedDisk } from '../../../agent/contract/machine-seed.ts';
import type { GuestKeys } from './keys.ts';

export interface SeedOptions extends Pick<MachineSeed, 'timeZone' | 'agentArguments'> {
  /** This computer's name, from which the guest's is derived. */
  hostname: string;
  keys: GuestKeys;
}

export function writeSeed(path: string, { keys, hostname, ...rest }: SeedOptions): void {
  const seed: MachineSeed = {
    version: 1,
    hostname: hostLabel(hostname),
    hostKey: keys.host.private,
    authorizedKeys: [keys.client.public],
    ...rest,
  };
  writeFileSync(path, seedDisk(seed), { mode: 0o600 });
}

/** Makes one label of letters, digits and hyphens (hostname(7)). */
function hostLabel(name: string): string {
  const label = (name.split('.')[0] ?? '').replace(/[^a-z0-9-]+/gi, '-').replace(/^-+|-+$/g, '');
  return label.slice(0, 63) || 'corten';
}
