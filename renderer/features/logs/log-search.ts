/** Finds lines in a buffer a slice at a time, so that a million lines never hold up the screen. */
import { withoutEscapes } from './ansi.ts';
import type { LogBuffer } from './log-buffer.ts';

export interface Found {
  query: string;
  /** Numbers of the lines that match, ascending. */
  lines: readonly number[];
  /** Lines before this number have been looked at. */
  searchedTo: number;
}

export function nothing(query: string): Found {
  return { query: query.toLowerCase(), lines: [], searchedTo: 0 };
}

/** Looks on for at most `budgetLines` lines; the same object when there was nothing to look at. */
export function searchOn(buffer: LogBuffer, found: Found, budgetLines: number): Found {
  const from = Math.max(found.searchedTo, buffer.first);
  const to = Math.min(buffer.end, from + budgetLines);
  const kept = found.lines.length > 0 && found.lines[0]! < buffer.first;
  if (from >= to && !kept) return found;
  const lines = found.lines.filter((number) => number >= buffer.first);
  if (found.query !== '')
    for (let number = from; number < to; number++)
      if (matches(buffer.at(number)?.text ?? '', found.query)) lines.push(number);
  return { query: found.query, lines, searchedTo: Math.max(from, to) };
}

function matches(text: string, lowerQuery: string): boolean {
  return withoutEscapes(text).toLowerCase().includes(lowerQuery);
}

/** The match after (or before) a line, going round at the ends. */
export function nextMatch(
  lines: readonly number[],
  current: number | undefined,
  direction: 1 | -1,
): number | undefined {
  if (lines.length === 0) return undefined;
  if (current === undefined) return direction === 1 ? lines[0] : lines.at(-1);
  if (direction === 1) return lines.find((number) => number > current) ?? lines[0];
  return lines.findLast((number) => number < current) ?? lines.at(-1);
}

/** Cuts a text at the matches: every second piece is one. */
export function splitAtMatches(text: string, lowerQuery: string): string[] {
  if (lowerQuery === '') return [text];
  const lower = text.toLowerCase();
  // Lower-casing may change a text's length (İ): then positions do not fit, and nothing is marked.
  if (lower.length !== text.length) return [text];
  const pieces: string[] = [];
  let from = 0;
  for (let at = lower.indexOf(lowerQuery); at !== -1; at = lower.indexOf(lowerQuery, from)) {
    pieces.push(text.slice(from, at), text.slice(at, at + lowerQuery.length));
    from = at + lowerQuery.length;
  }
  return [...pieces, text.slice(from)];
}
