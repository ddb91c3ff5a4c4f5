/** How BuildKit's clients read call metadata (session/filesync): headers hold ASCII, so other text is escaped. */
import type { CallMetadata } from './client-connection.ts';

/** Keys of which one value is not ASCII are escaped as in a query, and `<key>-encoded` says so. */
export function encodeMetadata(values: Readonly<Record<string, readonly string[]>>): CallMetadata {
  const encoded: Record<string, string | readonly string[]> = {};
  for (const [key, list] of Object.entries(values)) {
    if (list.length === 0) continue;
    const isPlain = list.every((value) => /^[\x20-\x7e]*$/.test(value));
    encoded[key] = isPlain ? list : list.map(queryEscape);
    if (!isPlain) encoded[`${key}-encoded`] = '1';
  }
  return encoded;
}

/** Go's url.QueryEscape. */
const queryEscape = (value: string) => new URLSearchParams({ v: value }).toString().slice(2);
