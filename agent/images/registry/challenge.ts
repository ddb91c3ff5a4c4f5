/** Parses a registry's WWW-Authenticate header (RFC 9110 11.6.1). */

export interface Challenge {
  /** Scheme in lower case. */
  scheme: string;
  parameters: Record<string, string>;
}

/** All challenges of one header; parameters may be quoted or plain. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const token =
    /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  while (token.lastIndex < header.length) {
    const match = token.exec(header);
    if (match === null) break;
    const [, word = '', quoted, plain] = match;
    if (quoted === undefined && plain === undefined)
      challenges.push({ scheme: word.toLowerCase(), parameters: {} });
    else {
      const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? '';
      const last = challenges.at(-1);
      if (last !== undefined) last.parameters[word.toLowerCase()] = value;
    }
  }
  return challenges;
}
