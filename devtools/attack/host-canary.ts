/** A directory of the machine that no container was given: what is read from or left in it got out. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class HostCanary {
  readonly path = mkdtempSync(join(tmpdir(), 'corten-attack-outside-'));
  readonly secret = `secret-${randomBytes(12).toString('hex')}`;

  constructor() {
    writeFileSync(join(this.path, 'secret'), this.secret, { mode: 0o600 });
  }

  /** What an attack changed here, in words; undefined: nothing. */
  changed(): string | undefined {
    const names = readdirSync(this.path).sort();
    if (names.join() !== 'secret') return `left outside: ${names.join(', ')}`;
    return readFileSync(join(this.path, 'secret'), 'utf8') === this.secret
      ? undefined
      : 'a file outside was written';
  }

  /** What `output` tells of it, or what was changed. */
  touched(output: string | Buffer): string | undefined {
    if (output.includes(this.secret)) return 'a file outside was read';
    return this.changed();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
