/**
 * Removes secrets and personal names from a text or document before it is written anywhere. It removes
 * too much rather than too little, because a sent archive cannot be taken back.
 */
export interface Personal {
  /** The user's home directory and user name on this computer. */
  home: string;
  user: string;
  /** Further words that name people or their computers: remote users, hosts, machine names. */
  words?: readonly string[];
}

const gone = '[removed]';

/** The values of fields with these names are always removed. */
const secretField =
  /pass(word|phrase|wd)?$|secret|token|api[-_]?key|private[-_]?key|credential|^auth|authorization|cookie|^x-registry/i;

/** Any environment variable of a container may be a secret, so only the names are kept. */
const valueFields = new Set(['env', 'labels', 'options', 'driveropts', 'buildargs']);

const patterns: [RegExp, string][] = [
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g, gone],
  // This matches user:password@ in URLs.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]+(:[^\s/@]*)?@/gi, `$1${gone}@`],
  [/\b(bearer|basic)\s+[A-Za-z0-9+/_=.~-]{6,}/gi, `$1 ${gone}`],
  [/\b(token|access_token|sig|signature|key)=[^\s&"']+/gi, `$1=${gone}`],
  [
    /\b([\w-]*(?:password|passwd|passphrase|secret|token|api[-_]?key|credential|authorization)[\w-]*)(["']?\s*[:=]\s*["']?)[^\s"',}]+/gi,
    `$1$2${gone}`,
  ],
  // These match JSON web tokens and the tokens of well-known services.
  [/\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g, gone],
  [/\b(gh[pousr]_|github_pat_|glpat-|xox[abpr]-|AKIA|dckr_pat_|npm_)[\w-]{8,}/g, gone],
];

export function redactText(text: string, { home, user, words = [] }: Personal): string {
  let clean = text;
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement);
  if (home.length > 1) clean = clean.replaceAll(home, '[home]');
  clean = clean.replace(/(\/home\/|\/Users\/|\\Users\\)[^/\\\s:"']+/g, '$1[user]');
  for (const word of [user, ...words].filter(isTelling))
    clean = clean.replace(new RegExp(`(?<![\\w])${escaped(word)}(?![\\w])`, 'g'), '[name]');
  return clean;
}

/** Redacts a JSON document, and keeps its shape. */
export function redactDocument(value: unknown, personal: Personal, field = ''): unknown {
  if (typeof value === 'string')
    return secretField.test(field) && value !== '' ? gone : redactText(value, personal);
  if (Array.isArray(value))
    return value.map((one) =>
      valueFields.has(field.toLowerCase()) && typeof one === 'string'
        ? nameOnly(one, personal)
        : redactDocument(one, personal, field),
    );
  if (typeof value !== 'object' || value === null) return value;
  const isValues = valueFields.has(field.toLowerCase());
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      redactText(name, personal),
      isValues || (secretField.test(name) && typeof part !== 'boolean')
        ? part === null || part === ''
          ? part
          : gone
        : redactDocument(part, personal, name),
    ]),
  );
}

/** Keeps the name of `NAME=value`. */
function nameOnly(text: string, personal: Personal): string {
  const at = text.indexOf('=');
  return at === -1 ? gone : `${redactText(text.slice(0, at), personal)}=${gone}`;
}

/** Names such as `root` identify nobody, and would remove words from many sentences. */
function isTelling(word: string): boolean {
  return word.length > 2 && !['root', 'user', 'admin', 'localhost', '127.0.0.1'].includes(word);
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
