/** IdentitiesOnly: of the SSH agent's keys, only those whose files are named. */
import { readFileSync } from 'node:fs';
import ssh2, { type IdentityCallback, type ParsedKey, type SignCallback } from 'ssh2';
import type { HostPlan } from './ssh-config.ts';

export class NamedKeysAgent extends ssh2.BaseAgent<ParsedKey> {
  readonly #agent: ssh2.OpenSSHAgent;
  readonly #keys: Buffer[];

  constructor(agent: string, keyFiles: HostPlan['keyFiles']) {
    super();
    this.#agent = ssh2.createAgent(agent) as ssh2.OpenSSHAgent;
    this.#keys = keyFiles.flatMap(({ path }) => publicKeyOf(path));
  }

  override getIdentities(give: IdentityCallback<ParsedKey>): void {
    this.#agent.getIdentities((error, keys = []) =>
      give(
        error,
        (keys as ParsedKey[]).filter((key) =>
          this.#keys.some((named) => named.equals(key.getPublicSSH())),
        ),
      ),
    );
  }

  override sign(key: ParsedKey, data: Buffer, options: object, give?: SignCallback): void {
    this.#agent.sign(key, data, options, give);
  }
}

/** Beside the private one, which may be locked; or the named file is the public one itself. */
function publicKeyOf(path: string): Buffer[] {
  for (const file of [`${path}.pub`, path])
    try {
      const key = ssh2.utils.parseKey(readFileSync(file, 'utf8'));
      if (!(key instanceof Error)) return [key.getPublicSSH()];
    } catch {
      // The next one, or none: then the agent's key is not one that was named.
    }
  return [];
}
