import { writeSync } from 'node:fs';

/** Writes a complete line to stdout before the command ends, whatever stdout is. */
export function print(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}
