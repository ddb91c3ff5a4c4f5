/** What the guest is told before anybody can speak to it: a small read-only disk with one document. */
import { writeFileSync } from 'node:fs';
import type { GuestKeys } from './keys.ts';

/** As the guest reads it: the document, then zero bytes to the end. */
const seedBytes = 64 * 1024;

export interface SeedOptions {
  hostname: string;
  keys: GuestKeys;
  timeZone: string;
  /** Further words of the agent's command line in the guest. */
  agentArguments: readonly string[];
}

export function writeSeed(path: string, options: SeedOptions): void {
  const document = {
    version: 1,
    hostname: options.hostname,
    hostKey: options.keys.host.private,
    authorizedKeys: [options.keys.client.public],
    timeZone: options.timeZone,
    agentArguments: [...options.agentArguments],
  };
  const text = Buffer.from(JSON.stringify(document), 'utf8');
  if (text.length >= seedBytes)
    throw new Error(`the machine's seed has ${text.length} bytes, and ${seedBytes} are possible`);
  const image = Buffer.alloc(seedBytes);
  text.copy(image);
  writeFileSync(path, image, { mode: 0o600 });
}
