/** Environments as lists of `NAME=value`; a name alone has no value (environ(7)). */

export function variableName(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

/** Those of `entries` that `others` say nothing of. */
export function withoutThoseOf(entries: readonly string[], others: readonly string[]): string[] {
  const names = new Set(others.map(variableName));
  return entries.filter((entry) => !names.has(variableName(entry)));
}
