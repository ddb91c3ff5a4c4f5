/** A read-only root from a tar archive: mkfs.erofs needs no root for that, and no files of its own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Not compressed: the guest reads it faster so, and what is sent is compressed as a whole. */
export function writeErofs(tar: Buffer, output: string, time: Date): void {
  const draft = `${output}.new`;
  writeFileSync(`${output}.tar`, tar);
  execFileSync('mkfs.erofs', [
    '--quiet',
    '--tar=f',
    `-T${Math.floor(time.getTime() / 1000)}`,
    `-U${uuidOf(tar)}`,
    draft,
    `${output}.tar`,
  ]);
  rmSync(`${output}.tar`);
  renameSync(draft, output);
}

/** From the content, so that the same content has the same (RFC 9562, version 8). */
function uuidOf(content: Buffer): string {
  const digits = createHash('sha256').update(content).digest('hex');
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-8${digits.slice(13, 16)}-a${digits.slice(17, 20)}-${digits.slice(20, 32)}`;
}
