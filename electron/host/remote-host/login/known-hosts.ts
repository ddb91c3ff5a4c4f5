/** Checks a host's key against known_hosts files: sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

export type Verdict =
  | { kind: 'known' }
  | { kind: 'unknown' }
  /** Another key of the same type is known; `place` is its file and line. */
  | { kind: 'changed' | 'revoked'; place: string };

/** `type` is such as `ssh-ed25519`. */
export interface HostKey {
  type: string;
  blob: Buffer;
}

export function judgeHostKey(
  files: readonly string[],
  host: string,
  port: number,
  key: HostKey,
): Verdict {
  const names = namesOf(host, port);
  let changed: string | undefined;
  let isKnown = false;
  for (const file of files)
    for (const { marker, hosts, type, blob, line } of linesOf(file)) {
      // The app requests no host certificates, so lines of certificate authorities are skipped.
      if (marker === '@cert-authority' || !matches(hosts, names)) continue;
      const isSame = blob.length === key.blob.length && timingSafeEqual(blob, key.blob);
      if (marker === '@revoked') {
        if (isSame) return { kind: 'revoked', place: `${file}:${line}` };
      } else if (isSame) isKnown = true;
      else if (type === key.type) changed ??= `${file}:${line}`;
    }
  if (isKnown) return { kind: 'known' };
  return changed === undefined ? { kind: 'unknown' } : { kind: 'changed', place: changed };
}

/** The types of the host's known keys come first, so that it shows a key that can be compared. */
export function knownTypes(files: readonly string[], host: string, port: number): string[] {
  const names = namesOf(host, port);
  const found = files.flatMap((file) =>
    linesOf(file)
      .filter(({ marker, hosts }) => marker === undefined && matches(hosts, names))
      .map(({ type }) => type),
  );
  return [...new Set(found)];
}

export function rememberHostKey(file: string, host: string, port: number, key: HostKey): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const isCut = existsSync(file) && !/(^|\n)$/.test(readFileSync(file, 'utf8'));
  const line = `${namesOf(host, port)[0]} ${key.type} ${key.blob.toString('base64')}\n`;
  appendFileSync(file, isCut ? `\n${line}` : line, { mode: 0o600 });
}

/** The fingerprint as `ssh-keygen -l` prints it. */
export function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The first field of a key is its type (RFC 4253, 6.6). */
export function toHostKey(blob: Buffer): HostKey {
  const length = blob.readUInt32BE(0);
  return { type: blob.subarray(4, 4 + length).toString('latin1'), blob };
}

interface KnownLine {
  marker: string | undefined;
  hosts: string;
  type: string;
  blob: Buffer;
  line: number;
}

function linesOf(file: string): KnownLine[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    // A missing or unreadable file knows no hosts, so the user is asked.
    return [];
  }
  return text.split('\n').flatMap((line, index) => {
    const words = line.trim().split(/\s+/);
    if (words[0] === '' || words[0]?.startsWith('#')) return [];
    const marker = words[0]?.startsWith('@') ? words.shift() : undefined;
    const [hosts, type, key] = words;
    if (hosts === undefined || type === undefined || key === undefined) return [];
    return [{ marker, hosts, type, blob: Buffer.from(key, 'base64'), line: index + 1 }];
  });
}

function namesOf(host: string, port: number): string[] {
  const name = host.toLowerCase();
  return port === 22 ? [name] : [`[${name}]:${port}`];
}

function matches(hosts: string, names: readonly string[]): boolean {
  if (hosts.startsWith('|1|')) return names.some((name) => isHashOf(hosts, name));
  const patterns = hosts.toLowerCase().split(',');
  const fits = (pattern: string) => names.some((name) => toPattern(pattern).test(name));
  if (patterns.some((pattern) => pattern.startsWith('!') && fits(pattern.slice(1)))) return false;
  return patterns.some((pattern) => !pattern.startsWith('!') && fits(pattern));
}

/** A hashed name is written `|1|salt|HMAC-SHA1 of the name`. */
function isHashOf(hosts: string, name: string): boolean {
  const [, , salt = '', hash = ''] = hosts.split('|');
  const made = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest();
  const known = Buffer.from(hash, 'base64');
  return made.length === known.length && timingSafeEqual(made, known);
}

function toPattern(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`);
}
