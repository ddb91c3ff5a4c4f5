/**
 * The machine's keys: `host_ed25519` (who this machine is), `client_ed25519` (the key that the app
 * and `ssh -i` use) and `authorized_keys` (who may come in). Made on first use, readable by their
 * owner only.
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

/** Makes what is missing in `directory` and leaves what is there as it is. */
export function prepareKeys(directory: string): SshKeys {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const keys = {
    hostKeyPath: join(directory, 'host_ed25519'),
    clientKeyPath: join(directory, 'client_ed25519'),
    authorizedKeysPath: join(directory, 'authorized_keys'),
  };
  ensureKeyPair(keys.hostKeyPath, 'corten-host');
  ensureKeyPair(keys.clientKeyPath, 'corten-app');
  // Written once only: a person may take the app's key out again.
  if (!existsSync(keys.authorizedKeysPath))
    writeFileSync(keys.authorizedKeysPath, readFileSync(`${keys.clientKeyPath}.pub`), {
      mode: 0o600,
      flag: 'wx',
    });
  return keys;
}

/** The private key's text; refuses a key that others can read, as sshd does. */
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
 * A new Ed25519 pair in OpenSSH's format. ssh2 1.17 drops a public key's leading zero bytes, so that
 * one pair in 256 cannot be read by anybody (lib/keygen.js); such a pair is thrown away.
 */
export function makeKeyPair(comment: string): { public: string; private: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}

/** The file appears whole or not at all: a crash must not leave half a key under its final name. */
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
