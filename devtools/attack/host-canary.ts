/** A directory of the host that no container may use. An attack that reads its secret or changes it has escaped. */
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

  /** What was changed, in words. `undefined`: nothing. */
  changed(): string | undefined {
    const names = readdirSync(this.path).sort();
    if (names.join() !== 'secret') return `left outside: ${names.join(', ')}`;
    return readFileSync(join(this.path, 'secret'), 'utf8') === this.secret
      ? undefined
      : 'a file outside was written';
  }

  /** Says whether `output` has the secret, else what was changed. `undefined`: neither. */
  touched(output: string | Buffer): string | undefined {
    if (output.includes(this.secret)) return 'a file outside was read';
    return this.changed();
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
