/** Patterns of `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`: `*` and `?`, no brackets. */

export function withoutPrefix(value: string, pattern: string, isLongest: boolean): string {
  const match = new RegExp(`^${expressionOf(pattern, isLongest)}`, 'u').exec(value);
  return match === null ? value : value.slice(match[0].length);
}

export function withoutSuffix(value: string, pattern: string, isLongest: boolean): string {
  // The shorter what is kept, the longer is what is cut off.
  const kept = isLongest ? '([^]*?)' : '([^]*)';
  return new RegExp(`^${kept}${expressionOf(pattern, true)}$`, 'u').exec(value)?.[1] ?? value;
}

/** At the first place where the pattern matches, or at all. */
export function withReplaced(
  value: string,
  pattern: string,
  replacement: string,
  isForAll: boolean,
): string {
  return value.replace(
    new RegExp(expressionOf(pattern, true), isForAll ? 'gu' : 'u'),
    () => replacement,
  );
}

function expressionOf(pattern: string, isGreedy: boolean): string {
  const chars = Array.from(pattern);
  let expression = '';
  for (let at = 0; at < chars.length; at++) {
    let char = chars[at]!;
    if (char === '*') {
      expression += isGreedy ? '.*' : '.*?';
      continue;
    }
    if (char === '?') {
      expression += '.';
      continue;
    }
    if (char === '\\') {
      const escaped = chars[++at] ?? '';
      // These two are escaped because of the substitution around the pattern.
      const isForSubstitution = escaped === '}' || escaped === '/';
      if (!isForSubstitution && !['*', '?', '\\'].includes(escaped))
        throw new Error(
          `invalid pattern (${pattern}) in substitution: invalid escape '\\${escaped}'`,
        );
      char = escaped;
    }
    expression += char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  }
  return expression;
}
