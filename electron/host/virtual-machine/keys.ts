/**
 * A machine's two key pairs, made by the host before the machine has ever run: the machine shows the
 * one, the app opens with the other, and neither meets a stranger first.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';

export interface KeyPair {
  /** OpenSSH's private key format. */
  private: string;
  /** One line, as in authorized_keys. */
  public: string;
}

export interface GuestKeys {
  host: KeyPair;
  client: KeyPair;
}

/** Makes what is missing. Throws for a file that cannot be read, with its path. */
export function guestKeysIn(directory: string): GuestKeys {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    host: pairIn(join(directory, 'host_ed25519'), 'corten-host'),
    client: pairIn(join(directory, 'client_ed25519'), 'corten-app'),
  };
}

function pairIn(path: string, comment: string): KeyPair {
  if (!existsSync(path)) {
    const made = makeKeyPair(comment);
    writeFileSync(`${path}.pub`, `${made.public}\n`);
    // The private key appears whole or not at all.
    writeFileSync(`${path}.new`, made.private, { mode: 0o600 });
    chmodSync(`${path}.new`, 0o600);
    renameSync(`${path}.new`, path);
  }
  return {
    private: readFileSync(path, 'utf8'),
    public: readFileSync(`${path}.pub`, 'utf8').trim(),
  };
}

/** ssh2 1.17 drops a public key's leading zero bytes: such a pair, one in 256, nobody can read. */
function makeKeyPair(comment: string): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}
