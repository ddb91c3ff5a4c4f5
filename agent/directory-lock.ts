import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { conflict } from './errors.ts';
import { lockFile } from './kernel/file-lock.ts';

/**
 * Makes a directory this process's own until it ends, however it ends: two agents on one state, or
 * on one run directory, would undo each other's work.
 */
export function lockDirectory(directory: string): void {
  const path = join(directory, 'agent.lock');
  if (lockFile(path) === undefined)
    throw conflict(
      `Another agent (process ${readFileSync(path, 'utf8').trim()}) works on ${directory}. Stop it, or give this one directories of its own with --root and --run.`,
    );
  writeFileSync(path, `${process.pid}\n`);
}
