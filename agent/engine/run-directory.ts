import { rmSync } from 'node:fs';
import type { Report } from './report.ts';

/**
 * Removes what a process left to outlive the agent. Synchronous: it holds three small files, and the
 * thread pool would take ten times as long.
 */
export function removeRunDirectory(directory: string, report: Report): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    report(`remove ${directory}`, error);
  }
}
