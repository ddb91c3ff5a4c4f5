import { useEffect, useState } from 'react';
import type { LogBuffer } from './log-buffer.ts';
import { type Found, nextMatch, nothing, searchOn } from './log-search.ts';

/** Lines looked at in one go: a few milliseconds' worth. */
const sliceLines = 20_000;

export function useSearch(buffer: LogBuffer, version: number) {
  const [found, setFound] = useState<Found>(() => nothing(''));
  const [current, setCurrent] = useState<number>();

  // biome-ignore lint/correctness/useExhaustiveDependencies: `version` says that the buffer grew.
  useEffect(() => {
    if (found.query === '') return;
    const timer = setTimeout(() => setFound((now) => searchOn(buffer, now, sliceLines)));
    return () => clearTimeout(timer);
  }, [buffer, version, found]);

  const setQuery = (query: string) => {
    setFound(nothing(query));
    setCurrent(undefined);
  };
  const step = (direction: 1 | -1): number | undefined => {
    const next = nextMatch(found.lines, current, direction);
    setCurrent(next);
    return next;
  };
  const position = current === undefined ? 0 : found.lines.indexOf(current) + 1;
  return { found, current, position, setQuery, step };
}
