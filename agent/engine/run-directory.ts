import { rmSync } from 'node:fs';
import type { Report } from './report.ts';

/**
 * Removes the run directory of an ended process. This is synchronous because it holds only three
 * small files, for which the thread pool takes ten times as long.
 */
export function removeRunDirectory(directory: string, report: Report): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    report(`remove ${directory}`, error);
  }
}
