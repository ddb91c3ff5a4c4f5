/** Hostile images, imported from a file system archive. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { EngineClient } from '../peers/engine-client.ts';
import { withTimeout } from '../peers/timeout.ts';
import { type Entry, probeEntry, query, tar } from './target-container.ts';

/** Imports an image of the probes, busybox and `entries`. Resolves to its name. */
export async function importImage(client: EngineClient, entries: Entry[]): Promise<string> {
  const name = `attack-${randomBytes(6).toString('hex')}`;
  const busybox = readFileSync('/usr/bin/busybox');
  const names = new Set(entries.map((entry) => entry.name.replace(/\/$/, '')));
  const base: Entry[] = [
    ...['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'].map(
      (directory): Entry => ({ name: `${directory}/`, type: 'directory', mode: 0o755 }),
    ),
    { name: 'bin/busybox', mode: 0o755, content: busybox },
    ...['sh', 'cat', 'sleep', 'true', 'ls', 'id'].map(
      (applet): Entry => ({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' }),
    ),
    probeEntry(),
  ].filter((entry) => !names.has(entry.name.replace(/\/$/, '')));
  const archive = await tar([...base, ...entries]);
  const path = `/images/create?${query({ fromSrc: '-', repo: name, tag: 'latest' })}`;
  const reply = await withTimeout(client.bytes('POST', path, archive));
  if (/"error"/.test(reply.toString())) throw new Error(`import: ${reply}`);
  return `${name}:latest`;
}

export async function removeImage(client: EngineClient, name: string): Promise<void> {
  await withTimeout(client.call('DELETE', `/images/${name}?force=1`));
}
