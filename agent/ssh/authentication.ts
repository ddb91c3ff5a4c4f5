/** Authenticates with public keys in authorized_keys, in constant time (RFC 4252 §7). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import ssh2, { type AuthContext, type Connection, type PublicKeyAuthContext } from 'ssh2';

/** Like sshd's MaxAuthTries; the method `none`, with which clients ask for the methods, is not counted. */
export const maxAuthTries = 6;

export function authenticate(
  connection: Connection,
  authorizedKeysPath: string,
  onLogin: (login: string) => void,
): void {
  let tries = 0;
  connection.on('authentication', (context) => {
    if (mayEnter(context, authorizedKeysPath)) {
      // Without a signature the client only asks whether the key would be accepted.
      if (context.signature !== undefined) onLogin(context.username);
      context.accept();
      return;
    }
    if (context.method !== 'none') tries += 1;
    // Every refusal is the same, so that it tells nothing about names or keys.
    if (tries < maxAuthTries) context.reject(['publickey']);
    else connection.end();
  });
}

function mayEnter(
  context: AuthContext,
  authorizedKeysPath: string,
): context is PublicKeyAuthContext {
  if (context.method !== 'publickey') return false;
  const key = authorizedKeys(authorizedKeysPath).find((candidate) =>
    sameBytes(candidate.getPublicSSH(), context.key.data),
  );
  if (key === undefined || key.type !== keyTypeOf(context.key.algo)) return false;
  if (context.signature === undefined) return true;
  if (context.blob === undefined) return false;
  return key.verify(context.blob, context.signature, context.hashAlgo) === true;
}

/** Keys are read at every login, so that a change needs no restart. */
function authorizedKeys(path: string): ssh2.ParsedKey[] {
  return textOf(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .flatMap((line) => {
      // A line with options (from="…", command="…") does not parse and grants no access, because options that are not
      // enforced must not be ignored.
      const parsed = ssh2.utils.parseKey(line);
      if (parsed instanceof Error) return [];
      return parsed;
    });
}

/** Text of the file; an unreadable one grants access to nobody. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Key type of an algorithm: RSA keys use other names in signatures (RFC 8332 §3); their own means SHA-1. */
function keyTypeOf(algorithm: string): string | undefined {
  if (algorithm === 'ssh-rsa') return undefined;
  return algorithm.startsWith('rsa-sha2-') ? 'ssh-rsa' : algorithm;
}

/** Compares hashes, because timingSafeEqual needs equal lengths and the length must not leak. */
function sameBytes(a: Buffer, b: Buffer): boolean {
  return timingSafeEqual(digest(a), digest(b));
}

function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
