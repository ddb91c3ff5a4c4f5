/** Offers only those keys of the SSH agent whose files are named, as IdentitiesOnly asks (ssh_config(5)). */
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

/** The public key is in a file beside the private one, which may be encrypted, or is the named file itself. */
function publicKeyOf(path: string): Buffer[] {
  for (const file of [`${path}.pub`, path])
    try {
      const key = ssh2.utils.parseKey(readFileSync(file, 'utf8'));
      if (!(key instanceof Error)) return [key.getPublicSSH()];
    } catch {
      // The next file is tried; without any, the agent's key is not a named one.
    }
  return [];
}
