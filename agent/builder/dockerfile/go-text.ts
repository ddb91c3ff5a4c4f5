/** Text in the forms in which Go prints values: histories of images are written so, and are compared with others'. */

/** `%q`. */
export function quoted(text: string): string {
  return `"${text.replace(/["\\\u0000-\u001f\u007f]/g, escaped)}"`;
}

const shortEscapes: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

function escaped(char: string): string {
  return shortEscapes[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** `%q` of a list. */
export const quotedList = (list: readonly string[]): string => `[${list.map(quoted).join(' ')}]`;

/** `%v` of a list. */
export const plainList = (list: readonly string[]): string => `[${list.join(' ')}]`;

/** `%v` of a time.Duration. */
export function durationText(nanos: number): string {
  if (nanos === 0) return '0s';
  if (nanos < 1e3) return `${nanos}ns`;
  if (nanos < 1e6) return `${nanos / 1e3}µs`;
  if (nanos < 1e9) return `${nanos / 1e6}ms`;
  const hours = Math.floor(nanos / 3600e9);
  const minutes = Math.floor((nanos % 3600e9) / 60e9);
  const seconds = (nanos % 60e9) / 1e9;
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
