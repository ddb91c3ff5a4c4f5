/**
 * A machine's host key and the app's client key. The app makes both before the machine's first start,
 * so that each side knows the other's key and no first connection has to be trusted.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';

export interface KeyPair {
  /** In OpenSSH's private key format (PROTOCOL.key). */
  private: string;
  /** One line in the format of authorized_keys (sshd(8)). */
  public: string;
}

export interface GuestKeys {
  host: KeyPair;
  client: KeyPair;
}

/** Reads the keys, and makes missing ones. Throws for an unreadable file, with its path. */
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
    // The rename makes the private key appear complete or not at all.
    writeFileSync(`${path}.new`, made.private, { mode: 0o600 });
    chmodSync(`${path}.new`, 0o600);
    renameSync(`${path}.new`, path);
  }
  return {
    private: readFileSync(path, 'utf8'),
    public: readFileSync(`${path}.pub`, 'utf8').trim(),
  };
}

/** ssh2 1.17 drops leading zero bytes of a public key; such a pair, one in 256, is unreadable and made again. */
function makeKeyPair(comment: string): KeyPair {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}
