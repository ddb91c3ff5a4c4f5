/**
 * Keys of the machine: `host_ed25519` (the host key), `client_ed25519` (the key of the app and of `ssh -i`) and
 * `authorized_keys` (keys with access). They are created on first use and readable only by their owner.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { CortenError } from '../errors.ts';

export interface SshKeys {
  hostKeyPath: string;
  clientKeyPath: string;
  authorizedKeysPath: string;
}

/** Creates missing keys in `directory` and leaves existing ones unchanged. */
export function prepareKeys(directory: string): SshKeys {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const keys = {
    hostKeyPath: join(directory, 'host_ed25519'),
    clientKeyPath: join(directory, 'client_ed25519'),
    authorizedKeysPath: join(directory, 'authorized_keys'),
  };
  ensureKeyPair(keys.hostKeyPath, 'corten-host');
  ensureKeyPair(keys.clientKeyPath, 'corten-app');
  // The file is written only once, because a person may remove the app's key.
  if (!existsSync(keys.authorizedKeysPath))
    writeFileSync(keys.authorizedKeysPath, readFileSync(`${keys.clientKeyPath}.pub`), {
      mode: 0o600,
      flag: 'wx',
    });
  return keys;
}

/** Text of a private key. Throws for a key that others can read, as sshd does. */
export function readPrivateKey(path: string): string {
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0)
    throw new CortenError(
      'forbidden',
      `The private key ${path} can be read by others (mode ${mode.toString(8)}). Run "chmod 600 ${path}".`,
    );
  return readFileSync(path, 'utf8');
}

function ensureKeyPair(path: string, comment: string): void {
  if (existsSync(path)) return;
  const pair = makeKeyPair(comment);
  writeFileSync(`${path}.pub`, `${pair.public}\n`, { mode: 0o644 });
  writePrivately(path, pair.private);
}

/**
 * Creates an Ed25519 pair in OpenSSH's format. ssh2 1.17 drops leading zero bytes of a public key, which makes one
 * pair in 256 unreadable (lib/keygen.js); such a pair is discarded.
 */
export function makeKeyPair(comment: string): { public: string; private: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/** Writes a file atomically: a crash must not leave half a key under its final name. */
function writePrivately(path: string, text: string): void {
  const draft = `${path}.${process.pid}`;
  rmSync(draft, { force: true });
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
    linkSync(draft, path);
  } finally {
    closeSync(descriptor);
    rmSync(draft, { force: true });
  }
}
