/** The pids controller: processes and threads together. The same file on both versions. */
import type { Usage } from '../contract/limits.ts';
import { type ReadFile, readBound, readCount, readKeyed, writeLimit } from './control-file.ts';

/** Docker's rule: a negative value or 0 means no limit. */
export function applyPids(directory: string, limit: number | null): void {
  const value = limit === null || limit < 0 ? 'max' : Math.max(1, limit);
  writeLimit(directory, 'pids.max', value, 'process limit');
}

export function readPids(directory: string, read?: ReadFile): Usage['pids'] {
  return {
    current: readCount(directory, 'pids.current', read),
    limit: readBound(directory, 'pids.max', read),
    refusals: readKeyed(directory, 'pids.events', read).max ?? 0,
  };
}
